"""Files of pretrained weights: Keras's two HDF5 formats, and plain ``.npz`` arrays.

A file is judged before any array of it is read: all must lie in the file itself, and may not claim
much more memory than the file has bytes.
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
"""Trained weights hardly compress; pruned ones may by an order of magnitude."""

# What h5py and numpy raise on files that are cut off, overwritten or something else altogether.
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
        In an ``.npz`` file the arrays lie in order; in a ``.h5`` file the lists of layers and of
        each layer's weights give it. Both are the order of `keras.Model.get_weights`.

    Yields
    ------
    numpy.ndarray
        Of numbers.

    Raises
    ------
    WeightsError
        If it is not such a file, or not a whole one.
    """
    read = _npz_arrays if path.suffix == ".npz" else _listed_arrays
    try:
        for array in read(path):
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            if not isinstance(kind, np.dtype) or kind.kind not in "fiu":
                raise TypeError(f"it holds {kind} in place of numbers")
            yield array
    except _UNREADABLE as error:
        raise WeightsError(
            f"{path} cannot be read as weights: a whole .h5 file written by Keras or an .npz file "
            f"of arrays was expected ({error})"
        ) from error


def _npz_arrays(path: Path) -> Iterator[np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        _judge_size(sum(member.file_size for member in archive.infolist()), path)
    with np.load(path, allow_pickle=False) as file:
        yield from (file[name] for name in file.files)


def _listed_arrays(path: Path) -> Iterator[np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        _judge(file, path)
        # A whole model's file keeps its weights one level down.
        root = file if "layer_names" in file.attrs else file["model_weights"]
        for layer in root.attrs["layer_names"]:
            group = root[layer]
            for name in group.attrs["weight_names"]:
                yield np.asarray(group[name])


def _judge(file: h5py.File, path: Path) -> None:
    """Refuse arrays that lie in other files, or claim more than this one can hold."""
    import h5py

    claimed, away = 0, []

    def judge_link(name: str, link: object) -> None:
        if not isinstance(link, h5py.HardLink):
            away.append(name)

    def judge_entry(name: str, entry: object) -> None:
        nonlocal claimed
        if isinstance(entry, h5py.Dataset):
            claimed += int(entry.nbytes)
            if entry.external or entry.is_virtual:
                away.append(name)

    file.visititems_links(judge_link)
    file.visititems(judge_entry)
    if away:
        raise ValueError(f"{away[0]} is a link, or its numbers lie in another file")
    _judge_size(claimed, path)


def _judge_size(claimed: int, path: Path) -> None:
    if claimed > MAX_EXPANSION * path.stat().st_size:
        raise ValueError(f"it says that it holds {claimed} bytes, but is too small for that")


def is_keras3(path: Path) -> bool:
    """Tell whether a file is in the format that `keras.Model.save_weights` writes since Keras 3.

    It lists no order of the layers: only Keras, with the model at hand, can read it.
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
    """Check a file in Keras 3's format as far as can be done without Keras.

    Raises
    ------
    WeightsError
        If its arrays lie in other files, or claim more than it can hold.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _judge(file, path)
    except _UNREADABLE as error:
        raise WeightsError(f"{path} cannot be read as weights ({error})") from error


def load_keras3(model: keras.Model, path: Path) -> None:
    """Load a file in Keras 3's format into a model.

    Raises
    ------
    WeightsError
        If it does not fit the model, or is not a sound file.
    """
    if not path.name.endswith(".weights.h5"):
        raise WeightsError(
            f"{path} is in the format of Keras 3, which Keras reads from names ending in "
            ".weights.h5 alone; rename it"
        )
    check_keras3(path)
    try:
        with warnings.catch_warnings():
            # Keras looks for the layers a second time, in a list that it does not save.
            warnings.filterwarnings("ignore", r"Skipping nested container at '_operations_by_depth")
            model.load_weights(path)
    except Exception as error:  # Keras raises what it likes on a file that does not fit
        raise WeightsError(f"{path} does not fit {model.name} without its top ({error})") from error


def check_fit(model: keras.Model, arrays: list[np.ndarray]) -> None:
    """Check that arrays have the number and the shapes of a model's weights.

    Raises
    ------
    WeightsError
        If they have not.
    """
    variables: list[Any] = model.weights
    if len(arrays) != len(variables):
        raise WeightsError(
            f"{model.name} without its top has {len(variables)} arrays of weights; "
            f"the file has {len(arrays)}"
        )
    for variable, array in zip(variables, arrays, strict=True):
        if tuple(variable.shape) != array.shape:
            raise WeightsError(
                f"{variable.path} of {model.name} has the shape {tuple(variable.shape)}; "
                f"the file's has {array.shape}"
            )
