"""The file formats that a model is exported to: how each is written, and what runs it."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from classify.errors import ModelError
from classify.estimators.wrapped import WrappedClassifier
from classify.exporting import network, runtimes
from classify.exporting.onnx.network import to_onnx
from classify.exporting.sklearn_head import convert, joined
from toolkit.errors import did_you_mean
from toolkit.libraries import import_openvino, import_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from classify.exporting.runtimes import Runtime
    from classify.exporting.saved import SavedModel
    from extract.frozen import FrozenBase

METADATA_NAME = "model_card.json"
"""Member of a ``.keras`` file, and of the archive at the end of a ``.tflite`` file."""


@dataclass(frozen=True)
class Format:
    """A format of exported files.

    Parameters
    ----------
    name : str
    suffix : str
        Of the file; of OpenVINO, a second one ends in ``.bin``.
    packages : tuple of str
        Modules that the extra ``export`` installs, and that are needed to write and to compare.
    runtime : str
        What runs it, in words.
    has_int8 : bool
    write : callable
        Writes a model on a base, with metadata, to a path.
    open : callable
        Opens a file of the format to be run.
    """

    name: str
    suffix: str
    packages: tuple[str, ...]
    runtime: str
    has_int8: bool
    write: Callable[[SavedModel, FrozenBase, Mapping[str, str], Path], None]
    open: Callable[[Path], Runtime]


def find_format(name: str | None, path: Path | None) -> Format:
    """Return the format of a name, else that of the suffix of a path.

    Raises
    ------
    ModelError
        If there is none, or the two do not fit together.
    """
    if name is None:
        suffix = "" if path is None else path.suffix.lower()
        for known in FORMATS.values():
            if suffix == known.suffix:
                return known
        suffixes = ", ".join(known.suffix for known in FORMATS.values())
        raise ModelError(f"expected a file that ends in one of {suffixes}, found {path}")
    if name not in FORMATS:
        raise ModelError(
            f"{name!r} is not a format to export to; choose one of {', '.join(FORMATS)}"
            f"{did_you_mean(name, FORMATS)}",
            setting="to",
        )
    found = FORMATS[name]
    if path is not None and path.suffix.lower() != found.suffix:
        raise ModelError(
            f"a file of {name} ends in {found.suffix}, and {path} does not", setting="out"
        )
    return found


def _write_onnx(model: SavedModel, base: FrozenBase, about: Mapping[str, str], path: Path) -> None:
    from onnx import helper

    proto = to_onnx(network.openvino_network(model, base))
    if isinstance(model.estimator, WrappedClassifier):
        rule = to_onnx(network.to_openvino(network.build_rule(model)))
        proto = joined([proto, convert(model.estimator), rule])
    helper.set_model_props(proto, dict(about))
    path.write_bytes(proto.SerializeToString())


def _write_openvino(
    model: SavedModel, base: FrozenBase, about: Mapping[str, str], path: Path
) -> None:
    whole = network.openvino_network(model, base)
    for key, value in about.items():
        whole.set_rt_info(value, [key])
    import_openvino().save_model(whole, path, compress_to_fp16=False)


def _write_keras(model: SavedModel, base: FrozenBase, about: Mapping[str, str], path: Path) -> None:
    network.keras_network(model, base).save(path)
    _append_metadata(path, about)


def _write_litert(
    model: SavedModel, base: FrozenBase, about: Mapping[str, str], path: Path
) -> None:
    tf = import_tensorflow()
    whole = network.keras_network(model, base)
    with contextlib.redirect_stdout(io.StringIO()):
        converter = tf.lite.TFLiteConverter.from_keras_model(whole)
        try:
            content = converter.convert()
        except Exception as error:  # the converter raises several kinds
            reason = str(error).strip().splitlines()[0]
            raise ModelError(
                f"the installed TensorFlow cannot convert this model to LiteRT ({reason}); export "
                "it to onnx instead",
                setting="to",
            ) from error
    path.write_bytes(content)
    _append_metadata(path, about)  # where LiteRT's own metadata has its files, too


def _append_metadata(path: Path, about: Mapping[str, str]) -> None:
    fields = {**about, "classes": json.loads(about["classes"])}
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA_NAME, json.dumps(fields))


FORMATS: dict[str, Format] = {
    found.name: found
    for found in (
        Format(
            "onnx",
            ".onnx",
            ("onnx", "onnxruntime", "openvino"),
            "ONNX Runtime",
            True,
            _write_onnx,
            runtimes.open_onnx,
        ),
        Format(
            "openvino",
            ".xml",
            ("openvino",),
            "OpenVINO",
            True,
            _write_openvino,
            runtimes.open_openvino,
        ),
        Format("keras", ".keras", (), "Keras", False, _write_keras, runtimes.open_keras),
        Format(
            "litert",
            ".tflite",
            ("ai_edge_litert",),
            "LiteRT",
            False,
            _write_litert,
            runtimes.open_litert,
        ),
    )
}
"""By their names."""


def missing_packages(wanted: Format) -> list[str]:
    """Return the packages that a format needs and that are not installed."""
    from importlib.util import find_spec

    return [name for name in wanted.packages if find_spec(name) is None]


def files_of(path: Path) -> list[Path]:
    """Return the files that an export at a path is made of."""
    return [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
