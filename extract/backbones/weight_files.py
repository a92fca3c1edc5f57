"""Files of pretrained weights: Keras's two HDF5 formats, and plain ``.npz`` arrays.

A file is checked before any of its arrays is read: all arrays must be in the file itself, and may
not declare much more memory than the file has bytes.
"""

from __future__ import annotations

import tokenize
import warnings
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from extract.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import h5py
    import keras

MAX_EXPANSION = 20
"""Largest allowed ratio of the arrays' bytes to the file's.

Trained weights hardly compress; pruned weights may, by an order of magnitude.
"""

# What h5py and NumPy raise on files that are truncated, overwritten or of another kind.
_UNREADABLE = (
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_arrays(path: Path) -> Iterator[np.ndarray]:
    """Read one array after the other from an ``.npz`` file or Keras's older ``.h5`` format.

    Parameters
    ----------
    path : Path
        The order of the arrays is that of `keras.Model.get_weights`. An ``.npz`` file contains them
        in this order; a ``.h5`` file lists the layers, and the weights of each.

    Yields
    ------
    numpy.ndarray
        Of an integer or floating-point dtype.

    Raises
    ------
    WeightsError
        If it is not such a file, or is incomplete.
    """
    read = _npz_arrays if path.suffix == ".npz" else _listed_arrays
    try:
        for array in read(path):
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            if not isinstance(kind, np.dtype) or kind.kind not in "fiu":
                raise TypeError(f"it contains {kind} instead of numbers")
            yield array
    except _UNREADABLE as error:
        raise WeightsError(
            f"{path} cannot be read as weights: expected a complete .h5 file written by Keras or "
            f"an .npz file of arrays ({error})",
            setting="weights",
        ) from error


def _npz_arrays(path: Path) -> Iterator[np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        _check_size(sum(member.file_size for member in archive.infolist()), path)
    with np.load(path, allow_pickle=False) as file:
        yield from (file[name] for name in file.files)


def _listed_arrays(path: Path) -> Iterator[np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        _check_entries(file, path)
        # The file of a complete model has its weights one level down.
        root = file if "layer_names" in file.attrs else file["model_weights"]
        for layer in root.attrs["layer_names"]:
            group = root[layer]
            for name in group.attrs["weight_names"]:
                yield np.asarray(group[name])


def _check_entries(file: h5py.File, path: Path) -> None:
    """Refuse arrays that are in other files, or larger than this file can contain."""
    import h5py

    declared, elsewhere = 0, []

    def check_link(name: str, link: object) -> None:
        if not isinstance(link, h5py.HardLink):
            elsewhere.append(name)

    def check_entry(name: str, entry: object) -> None:
        nonlocal declared
        if isinstance(entry, h5py.Dataset):
            declared += int(entry.nbytes)
            if entry.external or entry.is_virtual:
                elsewhere.append(name)

    file.visititems_links(check_link)
    file.visititems(check_entry)
    if elsewhere:
        raise ValueError(f"{elsewhere[0]} is a link, or its numbers are in another file")
    _check_size(declared, path)


def _check_size(declared: int, path: Path) -> None:
    if declared > MAX_EXPANSION * path.stat().st_size:
        raise ValueError(f"it declares {declared:,} bytes of arrays, but is too small for that")


def is_keras3(path: Path) -> bool:
    """Return whether a file is in the format that `keras.Model.save_weights` writes since Keras 3.

    This format does not record the order of the layers, so only Keras can read it, with the model.
    """
    if path.suffix != ".h5":
        return False
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "layer_names" not in file.attrs and "layers" in file
    except OSError:
        return False


def check_keras3(path: Path) -> None:
    """Check a file in Keras 3's format as far as that is possible without Keras.

    Raises
    ------
    WeightsError
        If its arrays are in other files, or larger than it can contain.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _check_entries(file, path)
    except _UNREADABLE as error:
        raise WeightsError(
            f"{path} cannot be read as weights ({error})", setting="weights"
        ) from error


def load_keras3(model: keras.Model, path: Path) -> None:
    """Load a file in Keras 3's format into a model.

    Raises
    ------
    WeightsError
        If it does not fit the model, or is damaged.
    """
    if not path.name.endswith(".weights.h5"):
        raise WeightsError(
            f"{path} is in the format of Keras 3, which Keras reads only from names that end in "
            ".weights.h5; rename the file"
        )
    check_keras3(path)
    try:
        with warnings.catch_warnings():
            # Keras also looks for the layers in a list that it does not save.
            warnings.filterwarnings("ignore", r"Skipping nested container at '_operations_by_depth")
            model.load_weights(path)
    except Exception as error:  # Keras raises many types if a file does not fit
        raise WeightsError(f"{path} does not fit {model.name} without its top ({error})") from error


def check_fit(model: keras.Model, arrays: list[np.ndarray]) -> None:
    """Check that arrays have the number and the shapes of a model's weights.

    Raises
    ------
    WeightsError
        If they do not fit.
    """
    variables: list[Any] = model.weights
    if len(arrays) != len(variables):
        raise WeightsError(
            f"expected {len(variables)} arrays of weights for {model.name} without its top, "
            f"found {len(arrays)}"
        )
    for variable, array in zip(variables, arrays, strict=True):
        if tuple(variable.shape) != array.shape:
            raise WeightsError(
                f"expected the shape {tuple(variable.shape)} for {variable.path} of {model.name}, "
                f"found {array.shape}"
            )
