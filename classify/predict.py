"""`python -m classify.predict RUN IMAGE|FOLDER...`: the saved model on new pictures."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classify.errors import ModelError
from extract.images.loading import ReadSettings
from reports.ranking import best_in_validation
from reports.wording.text import shown
from toolkit.addresses import place
from toolkit.console import argument_parser
from toolkit.console import run as run_command
from toolkit.csv_cells import encode_text, write_csv
from toolkit.progress import ConsoleProgress, Progress, silent

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier
    from reports.record import Result, Run

logger = logging.getLogger("classify.predict")  # run as a module, its name is __main__

DESCRIPTION = "Classify pictures with a model that python -m classify has saved."


@dataclass(frozen=True)
class Answer:
    """What a model says of one file: a class and its probability, or why it is no image."""

    path: Path
    label: str | None
    probability: float | None
    reason: str | None = None
    undecided: bool = False
    """Whether the probability is below the threshold that the run has chosen."""


def predict(
    run_folder: Path,
    paths: Sequence[Path],
    *,
    classifier: str | None = None,
    weights: str | None = None,
    cache: str | None = None,
    reading: ReadSettings = ReadSettings(),
    progress: Progress = silent,
) -> list[Answer]:
    """Classify image files with a saved model.

    Parameters
    ----------
    run_folder : Path
        Written by ``python -m classify``.
    paths : sequence of Path
        Image files, and folders that are searched for image files.
    classifier : str, optional
        Which of the run's classifiers; by default see `reports.ranking.best_in_validation`.
    weights : str, optional
        Where the base's weights are, if not where the run had them.
    cache : str, optional
        The cache folder.
    reading : ReadSettings, optional
        How image files are read.
    progress : Progress
        Told of hashing and computing.

    Returns
    -------
    list of Answer
        In the order of `paths`, folders expanded in the order of their files' names.

    Raises
    ------
    ModelError
        If the run has no such model, or it cannot be read.
    ToolkitError
        If the run, the weights, the cache or a path cannot be used.
    """
    from classify import persistence
    from extract.datasets.dataset import images_in
    from extract.frozen import FrozenBase
    from extract.images.loading import load_images
    from reports.reading import read_record

    run = read_record(run_folder)
    result = result_of(run, run_folder, classifier)
    model = persistence.load(run_folder / Path(str(result.model)).name, result.model_sha256)
    files = [file for path in paths for file in images_in(path)]
    logger.info(
        "%s: %s, accuracy in the run %.3f", result.classifier, result.title, result.accuracy
    )
    base = FrozenBase.from_dict(
        run.recipe_of(result), weights=weights, cache=cache, progress=progress
    )
    done = base.extract(files, reading=reading, progress=progress)
    usable = [file for file in files if file in done.digests]
    answers = {file: Answer(file, None, None, reason) for file, reason in done.quarantine.items()}
    if usable:
        X = (
            load_images(usable, base.recipe.size, reading=reading, progress=progress)
            if model.consumes == "images"
            else base.embeddings([done.digests[file] for file in usable])
        )
        answers |= _answers(model, result, usable, X)
    return [answers[file] for file in files]


def _answers(
    model: Classifier, result: Result, files: Sequence[Path], X: NDArray[Any]
) -> dict[Path, Answer]:
    found = {}
    for file, row in zip(files, told(model, result, X), strict=True):
        code, probability = int(row.argmax()), float(row.max())
        label, doubt = str(model.classes_[code]), undecided(result, probability)
        found[file] = Answer(file, label, probability, undecided=doubt)
    return found


def told(model: Classifier, result: Result, X: NDArray[Any]) -> NDArray[Any]:
    """Return a saved model's probabilities, calibrated where the run has calibrated them.

    Parameters
    ----------
    model : Classifier
    result : Result
        What the run's record says of it.
    X : ndarray, shape (n_samples, n_features) or (n_samples, size, size, 3)
        Embeddings, or images, as the model consumes.

    Returns
    -------
    ndarray of float, shape (n_samples, n_classes)
    """
    from classify.evaluation.calibration import calibrate

    probabilities: NDArray[Any] = model.predict_proba(X)
    return calibrate(probabilities, result.sigmoids) if result.sigmoids else probabilities


def undecided(result: Result, probability: float) -> bool:
    """Tell whether a probability is below what the run's target precision asks for."""
    return result.threshold is not None and probability < result.threshold.threshold


def result_of(run: Run, folder: Path, name: str | None) -> Result:
    """Return one of a run's classifiers by its name, or the one used when none is named.

    Raises
    ------
    ModelError
        If there is no such classifier; the message names those that there are.
    """
    if not run.results:
        raise ModelError(f"{folder} holds no classifier; run python -m classify again")
    if name is None:
        return best_in_validation(run)
    for result in run.results:
        if result.classifier == name:
            return result
    there = ", ".join(result.classifier for result in run.results)
    raise ModelError(f"{folder} holds no classifier {name!r}; it holds: {there}")


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that puts a saved model to use."""
    parser.add_argument(
        "--clf",
        metavar="NAME",
        help="which classifier of the run (default: the best one in cross-validation)",
    )
    parser.add_argument(
        "--weights", metavar="WHICH", help="the base's weights (default: where the run had them)"
    )
    parser.add_argument("--cache", metavar="DIR", help="cache folder")
    parser.add_argument(
        "--max-pixels",
        type=int,
        metavar="N",
        default=ReadSettings.max_pixels,
        help="width times height up to which an image is decoded",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m classify.predict`` and return its exit status."""
    parser = argument_parser("python -m classify.predict", DESCRIPTION)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of python -m classify")
    parser.add_argument(
        "paths", metavar="IMAGE|FOLDER", nargs="+", help="pictures to classify, or their addresses"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a table instead")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that read and decode")
    add_model_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress and no notes")
    return run_command(_predict, parser.parse_args(argv))


def _predict(args: argparse.Namespace) -> None:
    with ConsoleProgress(args.quiet) as progress:
        answers = predict(
            args.run,
            [place(path) for path in args.paths],
            classifier=args.clf,
            weights=args.weights,
            cache=args.cache,
            reading=ReadSettings(args.workers, args.max_pixels),
            progress=progress,
        )
    broken = sum(answer.reason is not None for answer in answers)
    if args.csv is None:
        for answer in answers:
            print(_line(answer))
    else:
        try:
            write_csv(
                args.csv,
                ["path", "class", "probability", "undecided", "problem"],
                map(_row, answers),
            )
        except OSError as error:
            raise ModelError(f"cannot write {args.csv}: {error.strerror or error}") from error
        print(f"{args.csv}: {len(answers) - broken:,} pictures classified, {broken:,} broken")
    if broken == len(answers):
        raise ModelError("none of the files can be used as an image; give others")


def _line(answer: Answer) -> str:
    name = shown(str(answer.path))
    if answer.reason is not None:
        return f"{name}  cannot be used as an image: {shown(answer.reason)}"
    doubt = "  undecided: not sure enough for the run's target" if answer.undecided else ""
    return f"{name}  {shown(str(answer.label))}  {answer.probability:.3f}{doubt}"


def _row(answer: Answer) -> list[str]:
    probability = "" if answer.probability is None else repr(answer.probability)
    doubt = "yes" if answer.undecided else ""
    cells = (str(answer.path), answer.label or "", probability, doubt, answer.reason or "")
    return [encode_text(cell) for cell in cells]


if __name__ == "__main__":
    raise SystemExit(main())
