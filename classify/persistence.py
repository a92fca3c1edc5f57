"""Trained classifiers as files that can be loaded without running what they hold.

A network is a NumPy archive of its weights with a JSON text of its parameters; the layers come
from our own code. The others are skops files, in which only the types named here are accepted.
Neither holds a pickle. Before anything is made from a file, every array in it must be as large as
the file says it is.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import disk
from classify import registry
from classify.errors import ClassifierError, ModelError
from classify.estimators.search import SearchResult
from classify.networks.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier

FORMAT = 1
NETWORK_SUFFIX, SKOPS_SUFFIX = ".npz", ".skops"
SCHEMA_NAME = "schema.json"
# What our own estimators hold besides arrays, numbers and text.
ESTIMATORS = (
    "classify.estimators.centroid.Centroid",
    "classify.estimators.wrapped.WrappedClassifier",
    "classify.estimators.logreg.LogReg",
    "classify.estimators.nearest.Nearest",
    "classify.estimators.streamed.StreamedLogReg",
    "classify.estimators.streamed.StreamedSVM",
    "classify.estimators.svm.SVM",
)
TRUSTED = (
    *ESTIMATORS,
    "classify.estimators.search.SearchPoint",
    "classify.estimators.search.SearchResult",
)
# Our classes as files of earlier versions name them, and where they are now.
EARLIER_NAMES = {
    ("classify.centroid", "Centroid"): ("classify.estimators.centroid", "Centroid"),
    ("classify.foreign", "Foreign"): ("classify.estimators.wrapped", "WrappedClassifier"),
    ("classify.logreg", "LogReg"): ("classify.estimators.logreg", "LogReg"),
    ("classify.nearest", "Nearest"): ("classify.estimators.nearest", "Nearest"),
    ("classify.streamed", "StreamedLogReg"): ("classify.estimators.streamed", "StreamedLogReg"),
    ("classify.streamed", "StreamedSVM"): ("classify.estimators.streamed", "StreamedSVM"),
    ("classify.svm", "SVM"): ("classify.estimators.svm", "SVM"),
    ("reports.record", "Search"): ("classify.estimators.search", "SearchResult"),
    ("reports.record", "SearchPoint"): ("classify.estimators.search", "SearchPoint"),
}


def save(estimator: Classifier, folder: Path, name: str) -> str:
    """Write a trained classifier into `folder`.

    Parameters
    ----------
    estimator : Classifier
        Trained.
    folder : Path
        Exists.
    name : str
        The classifier's name in the registry, and the file's without its suffix.

    Returns
    -------
    str
        Name of the file.
    """
    if isinstance(estimator, Network):
        file = name + NETWORK_SUFFIX
        _save_network(estimator, folder / file, name)
        return file
    import skops.io

    file = name + SKOPS_SUFFIX
    skops.io.dump(estimator, folder / file)
    return file


def load(path: Path, expected: str | None = None) -> Classifier:
    """Read a classifier that `save` wrote.

    Parameters
    ----------
    path : Path
        The file.
    expected : str, optional
        The SHA-256 that it had when it was written.

    Raises
    ------
    ModelError
        If the file is missing, damaged, has another hash, or holds anything but one of our
        classifiers.
    """
    readers: dict[str, Callable[[Path], Classifier]] = {
        NETWORK_SUFFIX: _load_network,
        SKOPS_SUFFIX: _load_skops,
    }
    if path.suffix not in readers:
        raise ModelError(
            f"{path} is not a saved model: expected a name ending in {' or '.join(readers)}"
        )
    try:
        if path.exists() and not path.is_file():  # opening a FIFO would wait for ever
            raise ModelError("it is not a regular file")
        if expected is not None and disk.sha256(path) != expected:
            raise ModelError(
                "it is not the file that the run has written: its SHA-256 should be "
                f"{expected}; take a whole copy of the run, or train again"
            )
        with zipfile.ZipFile(path) as archive:
            _check_arrays(archive, path.stat().st_size)
        return readers[path.suffix](path)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except OSError as error:
        raise ModelError(
            f"cannot read the model {path} ({error.strerror or error}); "
            "give a run whose models are still there, or train again"
        ) from error
    # A damaged file can fail anywhere in zipfile, NumPy, JSON or skops, and in as many ways.
    except Exception as error:
        raise ModelError(
            f"{path} is damaged or not a saved model ({type(error).__name__}: {error}); train again"
        ) from error


def _check_arrays(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an archive that would need more memory than its own `size` in bytes."""
    if sum(member.file_size for member in archive.infolist()) > size:
        raise ModelError("it says that it holds more bytes than it has")
    for member in archive.infolist():
        if member.compress_type != zipfile.ZIP_STORED:
            raise ModelError(f"{member.filename} is compressed, which no saved model is")
        if member.filename.endswith(".npy"):
            shape, dtype, offset = _array_header(archive, member)
            expected = offset + int(np.prod(shape, dtype=object)) * dtype.itemsize
            if dtype.hasobject or member.file_size != expected:
                raise ModelError(
                    f"{member.filename} says it is a {dtype} array of shape {shape}, "
                    f"which its {member.file_size} bytes are not"
                )


def _array_header(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Return the shape and dtype that an array file claims, and where its data begins."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        return shape, dtype, file.tell()


def _save_network(network: Network, path: Path, name: str) -> None:
    about = {
        "format": FORMAT,
        "classifier": name,
        "params": network.get_params(),
        "classes": network.classes_.tolist(),
        "sample_shape": network.sample_shape_,
        "history": network.history_,
    }
    text = np.frombuffer(json.dumps(about).encode("ascii"), dtype=np.uint8)
    weights = {f"weight_{i}": value for i, value in enumerate(network.model_.get_weights())}
    np.savez(path, about=text, **weights)


def _load_network(path: Path) -> Classifier:
    with np.load(path, allow_pickle=False) as archive:
        about = json.loads(archive["about"].tobytes())
        if about["format"] != FORMAT:
            raise ModelError(
                f"this model has format {about['format']}, this version reads {FORMAT}; train again"
            )
        try:
            kind = registry.classifier(about["classifier"])
        except ClassifierError as error:
            raise ModelError(str(error)) from error
        if not issubclass(kind, Network):
            raise ModelError(f"{about['classifier']} is not a network")
        classes, sample_shape = np.array(about["classes"]), tuple(about["sample_shape"])
        network = kind(**about["params"])
        expected = network.weight_shapes(sample_shape, len(classes))
        weights: list[NDArray[np.float32]] = [
            archive[f"weight_{i}"] for i in range(len(archive.files) - 1)
        ]
    found = [weight.shape for weight in weights]
    if classes.ndim != 1 or classes.dtype.hasobject:
        raise ModelError("expected a list of class names, found something else")
    if found != expected or any(weight.dtype != np.float32 for weight in weights):
        raise ModelError(f"expected float32 weights of the shapes {expected}, found {found}")
    return network.restore(classes, sample_shape, weights, about["history"])


def check(path: Path) -> None:
    """Make sure that a saved classifier holds nothing that will not be loaded.

    Raises
    ------
    ModelError
        If it does; the message names it.
    """
    if path.suffix == SKOPS_SUFFIX:
        _check_types(_with_current_names(path))


def _check_types(data: bytes) -> None:
    import skops.io

    foreign = set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED)
    if foreign:
        raise ModelError(
            f"it holds what is not ours and was not loaded: {', '.join(sorted(foreign))}"
        )


def _with_current_names(path: Path) -> bytes:
    """Return a skops file in which our classes are where this version has them."""
    data = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text = archive.read(SCHEMA_NAME)
        schema = json.loads(text, object_hook=_with_current_name)
        if schema == json.loads(text):
            return data
        rewritten = io.BytesIO()
        with zipfile.ZipFile(rewritten, "w") as copy:
            for member in archive.infolist():
                is_schema = member.filename == SCHEMA_NAME
                copy.writestr(member, json.dumps(schema) if is_schema else archive.read(member))
    return rewritten.getvalue()


def _with_current_name(node: dict[str, Any]) -> dict[str, Any]:
    module, name = node.get("__module__"), node.get("__class__")
    if isinstance(module, str) and isinstance(name, str) and (module, name) in EARLIER_NAMES:
        module, name = EARLIER_NAMES[module, name]
        return node | {"__module__": module, "__class__": name}
    return node


def _load_skops(path: Path) -> Classifier:
    import skops.io

    data = _with_current_names(path)
    _check_types(data)
    estimator = skops.io.loads(data, trusted=list(TRUSTED))
    if f"{type(estimator).__module__}.{type(estimator).__qualname__}" not in ESTIMATORS:
        raise ModelError(f"it holds a {type(estimator).__name__}, not one of our classifiers")
    n_features = estimator.n_features_in_
    if not 0 < n_features < path.stat().st_size:
        raise ModelError(f"it says that it takes {n_features} features, but is too small for that")
    # One prediction shows whether the parts fit together before anybody relies on them.
    estimator.predict_proba(np.zeros((1, n_features), dtype=np.float32))
    search = getattr(estimator, "search_", None)
    if isinstance(search, SearchResult) and "method" not in vars(search):  # of an earlier version
        estimator.search_ = dataclasses.replace(search, method=estimator.search_method)
    trained: Classifier = estimator
    return trained
