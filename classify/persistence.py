"""Save trained classifiers to files, and load them without running code that a file contains.

A network becomes a NumPy archive (``.npz``) of its weights, with a JSON text of its parameters; its
layers are built by our own code. Every other classifier becomes a skops file (``.skops``), in which
only the types listed here are accepted. Neither format contains a pickle.

`load` opens a file once and checks, in this order:

1. the SHA-256 of its bytes, if the caller knows it;
2. the archive: nothing is compressed, and every array is as large as its header says, so that a
   small file cannot ask for a large amount of memory;
3. the types (skops), or the shapes of the weights (networks);
4. the loaded classifier, by one prediction.
"""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cache import disk
from classify import archives, registry
from classify.errors import ClassifierError, ModelError
from classify.estimators.centroid import Centroid
from classify.estimators.nearest import Nearest
from classify.estimators.search import SearchResult
from classify.estimators.svm import SVM
from classify.evaluation.unfamiliar.familiarity import Familiarity
from classify.networks.dense import HIDDEN_UNITS
from classify.networks.finetune import FineTune
from classify.networks.network import Network
from toolkit.phases import phase

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from classify.estimators.base import Classifier

FORMAT = 2
"""Version of the files that `save` writes. `load` reads this one and all before it.

Raise it when an earlier version of the toolkit could no longer read a file correctly. Moving or
renaming a class needs no new version, but an entry in `EARLIER_NAMES`. In a network's file the
number is in the JSON text, in a skops file it is the archive's comment; skops files without a
comment are of version 1. In version 1, the head of a fine-tuned network has a hidden layer.
"""

T = TypeVar("T")

NETWORK_SUFFIX, SKOPS_SUFFIX = ".npz", ".skops"

ESTIMATORS = (
    "classify.estimators.centroid.Centroid",
    "classify.estimators.wrapped.WrappedClassifier",
    "classify.estimators.lda.LDA",
    "classify.estimators.logreg.LogReg",
    "classify.estimators.nearest.Nearest",
    "classify.estimators.ridge.RidgeClassifier",
    "classify.estimators.streamed.StreamedLogReg",
    "classify.estimators.streamed.StreamedSVM",
    "classify.estimators.svm.SVM",
)
"""What a skops file may be as a whole."""

OF_SCIKIT_LEARN = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)
"""Parts of scikit-learn's classifiers that skops does not know, but that are plain Python.

Decision trees, and so forests and boosting, are not among them: they are compiled code, which
follows the positions in a file without looking, and could be made to read foreign memory.
"""

TRUSTED = (
    *ESTIMATORS,
    *OF_SCIKIT_LEARN,
    "classify.estimators.search.SearchPoint",
    "classify.estimators.search.SearchResult",
)
"""Types a skops file may contain, besides those that skops itself trusts.

A type belongs here only if neither its constructor nor setting its attributes has side effects.
"""

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
"""Module and name of a class in earlier files, and where this version has it.

A skops file names the class of every object. Whoever moves or renames one of the `TRUSTED` classes
adds an entry and keeps the old ones (with their new target), so that saved models can still be
loaded. The names are replaced before the types are checked.
"""

_COMMENT = "frozen-features format "
_SCHEMA_NAME = "schema.json"


def save(estimator: Classifier, folder: Path, name: str) -> str:
    """Save a trained classifier.

    Parameters
    ----------
    estimator : Classifier
        Trained.
    folder : Path
        Existing folder.
    name : str
        Name of the file without its suffix.

    Returns
    -------
    str
        Name of the file.
    """
    if isinstance(estimator, Network):
        file = name + NETWORK_SUFFIX
        _save_network(estimator, folder / file, registry.get_name(estimator) or name)
    else:
        file = name + SKOPS_SUFFIX
        _save_skops(estimator, folder / file)
    return file


def load(path: Path, expected: str | None = None) -> Classifier:
    """Load a classifier that `save` has written.

    Parameters
    ----------
    path : Path
        The file.
    expected : str, optional
        SHA-256 of the file when it was written, as 64 hexadecimal digits.

    Returns
    -------
    Classifier
        Trained.

    Raises
    ------
    ModelError
        If the file is missing or damaged, has another SHA-256, was written by a newer version, or
        holds anything but one of our classifiers.
    """
    readers: dict[str, Callable[[bytes], Classifier]] = {
        NETWORK_SUFFIX: _load_network,
        SKOPS_SUFFIX: _load_skops,
    }
    if path.suffix not in readers:
        raise ModelError(
            f"{path} is not a saved model: expected a name ending in {' or '.join(readers)}"
        )
    return _loaded(path, expected, readers[path.suffix])


def _loaded(path: Path, expected: str | None, reader: Callable[[bytes], T]) -> T:
    """Read a file, check it, and build what it holds; say in an error which file it is."""
    try:
        data = archives.read(path, expected)
        archives.check(data)
        return reader(data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except OSError as error:
        raise ModelError(
            f"cannot read the model {path} ({error.strerror or error}); "
            "choose a run whose models are still there, or train again"
        ) from error
    # A damaged file can fail anywhere in zipfile, NumPy, JSON or skops, and in as many ways.
    except Exception as error:
        raise ModelError(
            f"{path} is damaged or not a saved model ({type(error).__name__}: {error}); train again"
        ) from error


def check_types(path: Path) -> None:
    """Check that a saved classifier contains only types that `load` accepts.

    Raises
    ------
    ModelError
        If it contains others; the message names them.
    """
    if path.suffix == SKOPS_SUFFIX:
        _check_types(_with_current_names(path.read_bytes()))


def _check_format(number: object) -> None:
    if not isinstance(number, int) or not 1 <= number <= FORMAT:
        raise ModelError(
            f"this model has format {number}, this version reads formats up to {FORMAT}; upgrade "
            "frozen-features, or train again"
        )


# --- networks -------------------------------------------------------------------------------------


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
    weights: dict[str, Any] = {
        f"weight_{i}": value for i, value in enumerate(network.get_weights())
    }
    np.savez(path, about=text, **weights)


def _load_network(data: bytes) -> Classifier:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        about = json.loads(archive["about"].tobytes())
        _check_format(about["format"])
        try:
            # Earlier versions wrote NAME@BACKBONE where a run had several backbones.
            kind = registry.get_class(about["classifier"].partition("@")[0])
        except ClassifierError as error:
            raise ModelError(str(error)) from error
        if not issubclass(kind, Network):
            raise ModelError(f"{about['classifier']} is not a network")
        classes, sample_shape = np.array(about["classes"]), tuple(about["sample_shape"])
        network = kind(**about["params"])
        if isinstance(network, FineTune) and about["format"] == 1:
            network.hidden_units = HIDDEN_UNITS
        expected = network.weight_shapes(sample_shape, len(classes))
        weights: list[NDArray[np.float32]] = [
            archive[f"weight_{i}"] for i in range(len(archive.files) - 1)
        ]
    shapes = [weight.shape for weight in weights]
    if classes.ndim != 1 or classes.dtype.hasobject:
        raise ModelError("expected a list of class names")
    if shapes != expected or any(weight.dtype != np.float32 for weight in weights):
        raise ModelError(f"expected float32 weights of the shapes {expected}, found {shapes}")
    return network.restore(classes, sample_shape, weights, about["history"])


# --- skops files ----------------------------------------------------------------------------------


@phase("importing skops")
def _import_skops() -> Any:
    """Return the module `skops.io`, which imports all of scikit-learn."""
    import skops.io

    return skops.io


def _save_skops(estimator: Classifier, path: Path) -> None:
    # What is only of use beside the training data is left out; with many classes it is large.
    slim = copy.copy(estimator)
    for name in ("held_out_proba_", "divided_classes_"):
        if hasattr(slim, name):
            delattr(slim, name)
    _import_skops().dump(slim, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = f"{_COMMENT}{FORMAT}".encode("ascii")


def _check_types(data: bytes) -> None:
    unknown = set(_import_skops().get_untrusted_types(data=data)) - set(TRUSTED)
    if unknown:
        raise ModelError(
            "it contains types that a file is not trusted with, and was not loaded: "
            f"{', '.join(sorted(unknown))}"
        )


def _with_current_names(data: bytes) -> bytes:
    """Return a skops file in which every class has its current name, see `EARLIER_NAMES`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text = archive.read(_SCHEMA_NAME)
        schema = json.loads(text, object_hook=_with_current_name)
        if schema == json.loads(text):
            return data
        renamed = io.BytesIO()
        with zipfile.ZipFile(renamed, "w") as copy:
            for member in archive.infolist():
                is_schema = member.filename == _SCHEMA_NAME
                copy.writestr(member, json.dumps(schema) if is_schema else archive.read(member))
    return renamed.getvalue()


def _with_current_name(node: dict[str, Any]) -> dict[str, Any]:
    module, name = node.get("__module__"), node.get("__class__")
    if isinstance(module, str) and isinstance(name, str) and (module, name) in EARLIER_NAMES:
        module, name = EARLIER_NAMES[module, name]
        return node | {"__module__": module, "__class__": name}
    return node


def _load_skops(data: bytes) -> Classifier:
    _check_format(_format_of(data))
    renamed = _with_current_names(data)
    _check_types(renamed)
    estimator = _import_skops().loads(renamed, trusted=list(TRUSTED))
    if f"{type(estimator).__module__}.{type(estimator).__qualname__}" not in ESTIMATORS:
        raise ModelError(f"it holds a {type(estimator).__name__}, not one of our classifiers")
    n_features = estimator.n_features_in_
    if not 0 < n_features < len(data):
        raise ModelError(f"it claims to take {n_features} features, but is too small for that")
    if isinstance(estimator, SVM | Nearest | Centroid):
        estimator.upgrade()
    # One prediction shows whether the parts fit together.
    estimator.predict_proba(np.zeros((1, n_features), dtype=np.float32))
    search = getattr(estimator, "search_", None)
    if isinstance(search, SearchResult) and "method" not in vars(search):  # of an earlier version
        estimator.search_ = dataclasses.replace(search, method=estimator.search_method)
    trained: Classifier = estimator
    return trained


def _format_of(data: bytes) -> int:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        comment = archive.comment.decode("ascii")
    return int(comment.removeprefix(_COMMENT)) if comment else 1


# --- familiarity ----------------------------------------------------------------------------------


def save_familiarity(familiarity: Familiarity, folder: Path, name: str) -> str:
    """Save what new images are compared with; return the name of the file."""
    file = name + NETWORK_SUFFIX
    content = io.BytesIO()
    arrays: dict[str, Any] = familiarity.to_arrays()
    np.savez(content, **arrays)
    disk.publish(folder / file, content.getvalue())
    return file


def load_familiarity(path: Path, expected: str | None = None) -> Familiarity:
    """Load what `save_familiarity` has saved.

    Parameters
    ----------
    path : Path
    expected : str, optional
        SHA-256 of the file when it was written, as 64 hexadecimal digits.

    Raises
    ------
    ModelError
        As from `load`.
    """
    return _loaded(path, expected, _load_familiarity)


def _load_familiarity(data: bytes) -> Familiarity:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return Familiarity.from_arrays({name: archive[name] for name in archive.files})
