"""Write a saved model to one file that needs nothing of this package, and prove it."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cache import disk
from classify.errors import ModelError
from classify.estimators.wrapped import WrappedClassifier
from classify.exporting import card
from classify.exporting.formats import files_of, find_format, missing_packages
from classify.exporting.replay import replay
from extract.datasets.layouts import images_in
from reports.tables import PICTURES_NAME, PREDICTIONS_NAME, read_pictures, read_predictions
from toolkit.addresses import as_path
from toolkit.errors import ToolkitError
from toolkit.progress import Progress, as_progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from classify.exporting.formats import Format
    from classify.exporting.replay import Replay
    from classify.exporting.saved import SavedModel
    from extract.frozen import FrozenBase

FOLDER = "export"
"""In the folder of a run: where its exports are written by default."""
PRECISIONS = ("float32", "int8")


@dataclass(frozen=True)
class Exported:
    """What an export has written.

    Parameters
    ----------
    path : Path
        The file; an ``.xml`` of OpenVINO has its weights beside it, in a ``.bin``.
    card : Path
        The model card, in Markdown.
    comparison : Replay
        The file's answers beside those of the model.
    """

    path: Path
    card: Path
    comparison: Replay


@dataclass(frozen=True)
class ExportSettings:
    """How a model is exported.

    Parameters
    ----------
    to : {"onnx", "openvino", "keras", "litert"}, optional
        The format; None is that of the suffix of the file.
    precision : {"float32", "int8"}, optional
        Of the frozen base; None is that of the run.
    weights : str, optional
        Where the base's weights are now; None is where the run found them.
    images : Path, optional
        A folder of images to compare on; None compares on the run's test images.
    licence : str, optional
        Stated in the model card.
    overwrite : bool, default=False
        Whether existing files are replaced.
    """

    to: str | None = None
    precision: str | None = None
    weights: str | None = None
    images: Path | None = None
    licence: str | None = None
    overwrite: bool = False


def export(
    model: SavedModel,
    path: Path | None = None,
    settings: ExportSettings = ExportSettings(),
    progress: bool | Progress = False,
) -> Exported:
    """Write a saved model to one file, with a model card beside it.

    The file is run with its own runtime on the test images of the run before it gets its name. If
    it does not answer as the model does, nothing is written.

    Parameters
    ----------
    model : SavedModel
    path : Path, optional
        The file; None is one in the folder of the run, named after the classifier.
    settings : ExportSettings, optional
    progress : bool or Progress, default=False
        Whether to show progress, or a callback.

    Raises
    ------
    ModelError
        If the model cannot be exported to that format, a package is missing, files exist, the
        folder cannot be written to, or the exported file does not answer as the model does.
    ToolkitError
        If the base's weights or the images cannot be found.
    """
    wanted = find_format(settings.to, path)
    target = path or model.folder / FOLDER / f"{_name_of(model)}{wanted.suffix}"
    outputs = [*files_of(target), target.with_name(f"{target.name}.md")]
    existing = [file for file in outputs if file.exists()]
    if existing and not settings.overwrite:
        raise ModelError(
            f"{existing[0]} exists; choose another file, or say that it may be replaced",
            setting="force",
        )
    _check_packages(wanted)
    if isinstance(model.estimator, WrappedClassifier) and wanted.name != "onnx":
        raise ModelError("a classifier of scikit-learn can be exported to onnx only", setting="to")
    precision = settings.precision or _own_precision(model)
    _check_precision(wanted, precision, model)
    files, labels = _images_to_compare(model, settings.images)
    with as_progress(progress) as report, _beside(target) as folder:
        report("exporting", 0, 1)
        base = _base_of(model, wanted, precision, settings.weights, report)
        about = card.metadata(model, precision, settings.licence)
        written = folder / target.name
        wanted.write(model, base, about, written)
        report("exporting", 1, 1)
        comparison = replay(model, wanted.open(written), files, labels, report)
        same_precision = precision == _own_precision(model)
        fault = comparison.fault(same_precision=same_precision, is_float=precision == "float32")
        if fault is not None:
            raise ModelError(
                f"the exported file does not answer as the model does: {fault}; nothing was "
                f"written. {comparison.sentence()}. The first image that differs: "
                f"{comparison.first_differing}"
            )
        digests = {file: disk.sha256(folder / file.name) for file in files_of(target)}
        text = card.render_card(about, digests, comparison, wanted.runtime)
        (folder / outputs[-1].name).write_text(text, encoding="utf-8")
        for file in outputs:
            (folder / file.name).replace(file)
    return Exported(target, outputs[-1], comparison)


def _name_of(model: SavedModel) -> str:
    """Return a classifier's name as its saved file has it, which every system takes."""
    return Path(str(model.result.model)).stem


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Open a temporary folder beside a file, so that what is in it can be moved there at once."""
    is_new = not target.parent.exists()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
            yield Path(folder)
    except ToolkitError:
        raise
    except OSError as error:
        raise ModelError(
            f"cannot write {target}: {error.strerror or error}; choose another place",
            setting="out",
        ) from error
    finally:
        if is_new and not target.exists():
            with contextlib.suppress(OSError):
                target.parent.rmdir()


def _check_packages(wanted: Format) -> None:
    if missing := missing_packages(wanted):
        raise ModelError(
            f"to export to {wanted.name} needs an extra that is not installed "
            f"({', '.join(missing)}); pip install 'frozen-features[export]', or in a checkout "
            "pip install '.[export]'"
        )


def _own_precision(model: SavedModel) -> str:
    """Return the precision in which the run's own classifier gets its features."""
    in_int8 = model.base.recipe.precision == "int8" and model.estimator.consumes != "images"
    return "int8" if in_int8 else "float32"


def _check_precision(wanted: Format, precision: str, model: SavedModel) -> None:
    if precision not in PRECISIONS:
        raise ModelError(
            f"expected the precision {' or '.join(PRECISIONS)}, found {precision!r}",
            setting="precision",
        )
    if precision == "int8" and not wanted.has_int8:
        raise ModelError(
            f"{wanted.name} cannot have the network in 8 bits; export to onnx or openvino, or "
            "choose the precision float32",
            setting="precision",
        )
    if precision == "int8" and model.estimator.consumes == "images":
        raise ModelError(
            f"{model.result.classifier} is trained on images, so there is no frozen base to have "
            "in 8 bits; choose the precision float32",
            setting="precision",
        )


def _base_of(
    model: SavedModel, wanted: Format, precision: str, weights: str | None, progress: Progress
) -> FrozenBase:
    """Return the base in the precision that is wanted."""
    own = _own_precision(model)
    if wanted.has_int8 and model.base.recipe.precision == "int8" and precision == own:
        return model.base
    base = model.base.in_float32(weights, progress=progress)
    if precision == "float32":
        return base
    training = [row for row in read_pictures(model.folder / PICTURES_NAME) if row.split == "train"]
    root = model.run.data.root
    digests = {as_path(root, row.path): row.sha256 for row in training if row.sha256}
    return base.in_int8().calibrated(digests, name=model.run.data.name, progress=progress)


def _images_to_compare(
    model: SavedModel, images: Path | None
) -> tuple[Sequence[Path], Sequence[str] | None]:
    """Return images, and their classes if these are known."""
    if images is not None:
        return images_in(images).paths, None
    rows = [
        row
        for row in read_predictions(model.folder / PREDICTIONS_NAME)
        if row.classifier == model.result.classifier
    ]
    root = model.run.data.root
    return [as_path(root, row.path) for row in rows], [row.true for row in rows]
