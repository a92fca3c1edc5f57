"""`python -m classify`: arguments in, the results table out."""

from __future__ import annotations

import dataclasses
import json
import logging
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from classify import registry
from classify.arguments import columns, priors, rates
from classify.choosing.arguments import (
    IMAGES,
    add_choosing,
    candidates_from,
    is_automatic,
    is_chosen,
)
from classify.errors import ClassifierError
from extract.arguments import add_arguments, options_from, positive, share
from toolkit.console import argument_parser, size, use_option
from toolkit.console import run as run_command
from toolkit.phases import IMPORTS, phase
from toolkit.progress import ConsoleProgress
from toolkit.wording import plural, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from classify.experiment.candidates import Candidate
    from classify.experiment.inputs import EmbeddingInputs, ImageInputs
    from classify.experiment.settings import RunSettings, TrainingSettings
    from extract.options import Options
    from reports.records import Run
    from toolkit.progress import Progress

DESCRIPTION = (
    "Train classifiers on frozen embeddings (which are extracted first if necessary), evaluate "
    "them on the test split, and write a report. Everything that is chosen is chosen on the "
    "training split."
)

OF_IMAGES = (
    "data", "mirror_url", "layout", "backbone", "weights", "preset", "size", "pooling", "layer",
    "preprocess", "precision", "resize", "aspect", "flip", "engine", "batch_size", "max_pixels",
    "choose", "budget",
)  # fmt: skip
"""What has no meaning for embeddings that are given."""

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None, *, started: float | None = None) -> int:
    """Run ``python -m classify``, which has `started` when its process did; return its status."""
    parser = argument_parser("python -m classify", DESCRIPTION)
    training = parser.add_argument_group("classifiers")
    training.add_argument(
        "--clf",
        metavar="NAMES",
        default="all",
        help=f"{', '.join(registry.CLASSIFIERS)}, several separated by commas, or all (except "
        f"{', '.join(registry.NOT_IN_ALL)}); or any of scikit-learn's, as "
        "sklearn.ensemble:RandomForestClassifier or, in quotes, with parameters: "
        "'sklearn.svm:NuSVC(nu=0.1)'",
    )
    _add_training(training)
    add_choosing(training)
    training.add_argument(
        "--memory-limit",
        type=size,
        metavar="SIZE",
        help="for the embeddings of a split, as 4GB: if they take more, logreg, svm (then "
        "linear), ridge, lda and dense are trained on those on disk, the first four to the same "
        "optimum; other classifiers are refused before anything is computed (default: half "
        "of this machine's memory, or no limit where the system does not say how much that is); a "
        "file of embeddings that takes more is refused",
    )
    training.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the run (default: runs/<time>-<clf>); with that of a run that was stopped, "
        "the same command goes on",
    )
    _add_evaluation(training)
    add_arguments(parser)
    _add_embeddings(parser)
    args = parser.parse_args(argv)
    args.of_images = [name for name in OF_IMAGES if getattr(args, name) != parser.get_default(name)]
    args.command = ["python", "-m", "classify", *(sys.argv[1:] if argv is None else argv)]
    return run_command(_classify, args, started)


def _add_embeddings(parser: argparse.ArgumentParser) -> None:
    """Add the options of embeddings that were computed elsewhere."""
    given = parser.add_argument_group("embeddings from elsewhere")
    given.add_argument(
        "--embeddings",
        type=Path,
        metavar="FILE",
        help="embeddings that were computed elsewhere, instead of --data: a .parquet or .npz file "
        "with labels, or a .npy file with a table of the same name beside it",
    )
    given.add_argument(
        "--columns",
        type=columns,
        metavar="ROLES",
        help="which of its columns is which, where the names do not tell, as "
        "embedding=clip,path=file,label=species,split=fold",
    )


def _add_training(group: argparse._ArgumentGroup) -> None:
    """Add the parameters of the classifiers."""
    group.add_argument(
        "--kernel",
        choices=("auto", "linear", "rbf"),
        default="auto",
        help="of the SVM; auto chooses by cross-validation",
    )
    group.add_argument(
        "--learning-rate",
        type=rates,
        metavar="RATES",
        help="of the networks; of several, as 1e-5,5e-5,1e-4,1e-3, the best is chosen on a part of "
        "the training split",
    )
    group.add_argument(
        "--unfreeze",
        metavar="LAYER",
        default="1",
        help="for finetune: the first layer of the base that is trained, as block5_conv3, or the "
        "number of its last layers with weights that are",
    )
    group.add_argument(
        "--augment",
        choices=("none", "mirror"),
        default="none",
        help="for finetune: whether it is trained on mirror images, too, at twice the cache",
    )


def _add_evaluation(group: argparse._ArgumentGroup) -> None:
    """Add what else a run computes about the classifiers."""
    group.add_argument(
        "--repeats",
        type=positive,
        metavar="N",
        default=1,
        help="train each with N seeds, and report mean and standard deviation",
    )
    group.add_argument(
        "--learning-curve",
        action="store_true",
        help="also train on a half, a quarter, ... of the images, to see whether more would help",
    )
    group.add_argument(
        "--audit",
        action="store_true",
        help="also look for wrong data: test images in training, suspect labels, odd images",
    )
    group.add_argument(
        "--calibrate",
        action="store_true",
        help="calibrate the probabilities, so that 0.9 is right nine times out of ten, on the "
        "training split",
    )
    group.add_argument(
        "--decision",
        choices=("least-errors", "equal-classes"),
        default="least-errors",
        help="which class is answered: the most probable one, which makes the fewest errors, or "
        "the one that would be if all classes were as frequent, which finds more of the rare ones",
    )
    group.add_argument(
        "--priors",
        type=priors,
        metavar="SHARES",
        help="how frequent the classes are among new images, as cats=0.9,dogs=0.1, or equal "
        "(default: as in the training split)",
    )
    group.add_argument(
        "--target-precision",
        type=share,
        metavar="SHARE",
        help="predict only where the probability is high enough for at least this share of correct "
        "predictions, as 0.95, on new images, too; the threshold is chosen on the training split, "
        "and holds in 95 of 100 such choices",
    )
    group.add_argument(
        "--reject",
        type=share,
        metavar="SHARE",
        help="refuse test images that are unlike the training images, as at most this share of new "
        "images of the same kind would be, as 0.05; the limit is set on the training split",
    )


def _classify(args: argparse.Namespace) -> None:
    names = registry.parse_names(args.clf)
    with phase(IMPORTS):
        from classify.experiment.candidates import candidates_of
        from classify.experiment.inputs import ImageInputs
        from classify.experiment.run import RunStopped, run
        from extract.prepare import find_dataset
        from reports.json_summary import summary

    training, options = _training_settings(args), options_from(args)
    _check_embeddings(args)
    single_backbones = candidates_from(args, options)  # finds mistakes before anything is read
    for setting in training.without_effect(names):
        option = f"--{setting.replace('_', '-')}"
        logger.info("%s has no effect on %s", option, " or ".join(names))
    try:
        with ConsoleProgress(args.quiet) as progress:
            candidates: Sequence[Candidate] = candidates_of(names, training)
            inputs: EmbeddingInputs | ImageInputs
            if args.embeddings is not None:
                inputs = _embedding_inputs(args, options, progress)
                candidates = _of_embeddings(candidates, args.clf)
            else:
                dataset = find_dataset(options, progress, advise=use_option)
                inputs = ImageInputs(dataset, single_backbones)
                if is_chosen(args):
                    inputs = _chosen(args, inputs, candidates, progress)
            folder, result = run(
                candidates,
                inputs,
                _run_settings(args),
                out=args.out,
                command=args.command,
                progress=progress,
            )
    except RunStopped as stopped:
        if args.json:
            print(json.dumps(summary(stopped.folder, stopped.run)))
        raise
    if args.json:
        print(json.dumps(summary(folder, result)))
    elif not args.quiet:
        _print_results(folder, result)


def _chosen(
    args: argparse.Namespace,
    inputs: ImageInputs,
    candidates: Sequence[Candidate],
    progress: Progress,
) -> ImageInputs:
    """Choose one of the backbones; print the table."""
    from classify.choosing.choice import choose_backbone
    from classify.experiment.inputs import ImageInputs
    from classify.experiment.recording.folder import RunFolder
    from reports.tables import format_table
    from reports.wording.backbones import choice_sentences, choice_table

    inputs.check(candidates, _run_settings(args))
    if args.out is not None:
        with RunFolder.opened(args.out, "") as folder:
            folder.stopped_run()  # refuses a folder with something else before minutes are spent
    options, dataset, choice = choose_backbone(
        inputs.dataset,
        inputs.options,
        n_images=args.choose or IMAGES,
        budget=args.budget,
        skip_missing=is_automatic(args),
        progress=progress,
    )
    if not args.quiet and not args.json:
        print(format_table(*choice_table(choice)))
        print("\n".join(map(printable, choice_sentences(choice))) + "\n")
    return ImageInputs(dataset, [options], choice)


def _check_embeddings(args: argparse.Namespace) -> None:
    """Check that options of images are not given for embeddings, nor those of embeddings alone."""
    if args.embeddings is None:
        if args.columns is not None:
            raise ClassifierError(
                "these are the columns of a file of embeddings, and none is given",
                setting="embeddings",
            )
        return
    if args.of_images:
        raise ClassifierError(
            f"the embeddings are given in {args.embeddings}, for which this has no meaning; leave "
            "one of the two out",
            setting=args.of_images[0],
        )


def _embedding_inputs(
    args: argparse.Namespace, options: Options, progress: Progress
) -> EmbeddingInputs:
    """Read the file of embeddings."""
    from classify.environment import memory_limit
    from classify.experiment.inputs import EmbeddingInputs
    from extract.embedding_files.load import load_embeddings

    embeddings = load_embeddings(
        args.embeddings,
        columns=args.columns,
        labels=options.labels,
        settings=options.data_settings,
        memory_limit=memory_limit() if args.memory_limit is None else args.memory_limit,
        cache=options.base.cache,
        progress=progress,
        advise=use_option,
    )
    settings = dataclasses.asdict(options.data_settings)
    del settings["layout"]
    asked = {"columns": args.columns, "labels": options.labels, **settings}
    return EmbeddingInputs(embeddings, options.test_size, options.dask, asked)


def _of_embeddings(candidates: Sequence[Candidate], asked: str) -> list[Candidate]:
    """Leave out what needs images, if all classifiers are asked for."""
    on_images = [candidate for candidate in candidates if candidate.consumes != "embeddings"]
    if asked != "all":
        return list(candidates)
    for candidate in on_images:
        logger.info("left out: %s, which is trained on images", candidate.name)
    return [candidate for candidate in candidates if candidate not in on_images]


def _training_settings(args: argparse.Namespace) -> TrainingSettings:
    from classify.experiment.settings import TrainingSettings

    return TrainingSettings(
        kernel=args.kernel,
        learning_rate=args.learning_rate,
        unfreeze=args.unfreeze,
        mirror=args.augment == "mirror",
    )


def _run_settings(args: argparse.Namespace) -> RunSettings:
    from classify.experiment.settings import RunSettings

    return RunSettings(
        repeats=args.repeats,
        seed=args.seed,
        calibrate=args.calibrate,
        target_precision=args.target_precision,
        reject=args.reject,
        learning_curve=args.learning_curve,
        audit=args.audit,
        memory_limit=args.memory_limit,
        priors=args.priors,
        decision=args.decision,
    )


def _print_results(folder: Path, run: Run) -> None:
    """Print the table of a run, what must be said about it, and what to do next."""
    from reports.ranking import best_in_validation
    from reports.tables import format_results, remarks
    from reports.wording.groups import groups_phrase

    train, test = sum(run.data.train_counts), sum(run.data.test_counts)
    print(
        f"{run.data.name}: trained on {plural(train, 'image')}, tested on {test:,} "
        f"({plural(len(run.data.classes), 'class', 'classes')})"
    )
    if run.data.groups:
        print(printable(groups_phrase(run.data)))
    print()
    print(format_results(run))
    for line in remarks(run):
        print(line)
    print(f"\nreport  {folder / 'report.html'}")
    name = shlex.quote(str(folder))
    best = best_in_validation(run)
    if run.recipe_of(best).get("weights") is None:  # nothing turns images into such embeddings
        return
    if best.model is not None:
        refusing = f" --reject {run.settings['reject']:g}" if best.rejection else ""
        print(f"try it  python -m classify.predict {name} IMAGE{refusing}")
        print(f"        python -m classify.serve {name}{refusing}")
    if best.model is not None and len(run.results) > 1:
        print(f"        {best.classifier} predicts; --clf chooses another")
    if run.audit is not None:
        print(f"review  python -m classify.review {name}")
