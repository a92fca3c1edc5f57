"""Files of weights: which are read, and which are refused."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from extract.backbones import weight_files
from extract.backbones.weights import Weights, identity, resolve
from extract.errors import WeightsError
from tests.extract.weight_samples import SMALL, SMALL_ARRAYS, Hostile, write_listed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_listed_order_is_kept(tmp_path: Path) -> None:
    """A .h5 file's arrays come in the order of its lists, not of their names."""
    path = write_listed(tmp_path / "small.h5", SMALL)
    found = resolve(str(path), "vgg16", cache=tmp_path)
    assert found == Weights(str(path), identity(SMALL_ARRAYS), None, path)


def test_same_arrays_are_the_same_weights_in_either_format(tmp_path: Path) -> None:
    """An .npz file and a .h5 file with the same arrays have the same identity."""
    np.savez(tmp_path / "small.npz", *SMALL_ARRAYS)
    write_listed(tmp_path / "small.h5", SMALL)
    found = [
        resolve(str(tmp_path / f"small.{end}"), "vgg16", cache=tmp_path) for end in ("npz", "h5")
    ]
    assert found[0].identity == found[1].identity


@pytest.mark.parametrize("name", ["notes.h5", "notes.weights.h5", "notes.npz", "notes.txt"])
def test_text_file_is_refused(tmp_path: Path, name: str) -> None:
    """A text file is refused, whatever its name."""
    (tmp_path / name).write_text("not weights at all")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        resolve(str(tmp_path / name), "vgg16", cache=tmp_path)


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    """A truncated download is refused at any length."""
    write_listed(tmp_path / "small.h5", SMALL)
    np.savez(tmp_path / "small.npz", *SMALL_ARRAYS)
    for name in ("small.h5", "small.npz"):
        whole = (tmp_path / name).read_bytes()
        for left in (len(whole) // 4, len(whole) // 2, len(whole) - 1):
            (tmp_path / name).write_bytes(whole[:left])
            with pytest.raises(WeightsError, match="cannot be read as weights"):
                resolve(str(tmp_path / name), "vgg16", cache=tmp_path)


def test_hdf5_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """An HDF5 file that Keras did not write is refused."""
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.zeros(3)
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        resolve(str(tmp_path / "other.h5"), "vgg16", cache=tmp_path)


def test_pickled_objects_in_an_npz_file_do_not_run(tmp_path: Path) -> None:
    """A pickle in an .npz file is not loaded."""
    canary = tmp_path / "canary"
    np.savez(tmp_path / "a.npz", np.array([Hostile(canary)], dtype=object))
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        resolve(str(tmp_path / "a.npz"), "vgg16", cache=tmp_path)
    assert not canary.exists()


def small_file(path: Path, change: Callable[[Any], object]) -> Path:
    """Write a valid file with a second layer that `change` creates."""
    write_listed(path, SMALL)
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = [*(name.encode() for name in SMALL), b"odd"]
        group = file.create_group("odd")
        group.attrs["weight_names"] = [b"w"]
        change(group)
    return path


def external_link(group: Any) -> None:
    group["w"] = h5py.ExternalLink("other.h5", "/w")


def soft_link(group: Any) -> None:
    group["w"] = h5py.SoftLink("/zeta/zeta/bias:0")


def external_storage(group: Any) -> None:
    group.create_dataset("w", (4,), "u1", external=[("other.bin", 0, 4)])


def virtual_view(group: Any) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "w", shape=(4,))
    group.create_virtual_dataset("w", layout)


@pytest.mark.parametrize("change", [external_link, soft_link, external_storage, virtual_view])
def test_numbers_that_lie_elsewhere_are_refused(
    tmp_path: Path, change: Callable[[Any], object]
) -> None:
    """A file of weights cannot refer to another file."""
    path = small_file(tmp_path / "small.h5", change)
    with pytest.raises(WeightsError, match="odd/w is a link, or its numbers are in another file"):
        list(weight_files.read_arrays(path))


@pytest.mark.parametrize("name", ["small.h5", "small.npz", "mine.weights.h5"])
def test_more_than_the_file_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    """Terabytes in a small file are refused before memory is allocated for them."""
    path = tmp_path / name
    if name == "small.npz":
        np.savez_compressed(path, np.zeros(10**7, np.float32))
    elif name == "small.h5":
        small_file(path, lambda group: group.create_dataset("w", (10**6, 10**6), chunks=(9, 9)))
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("layers/w/vars/0", (10**6, 10**6), chunks=(9, 9))
    with pytest.raises(WeightsError, match=r"declares [\d,]+ bytes of arrays, but is too small"):
        resolve(str(path), "vgg16", cache=tmp_path)


def test_pruned_weights_may_be_compressed(tmp_path: Path) -> None:
    """Arrays that compress well, but not suspiciously well, are read."""
    arrays = [np.repeat(np.arange(10_000, dtype=np.float32), 2)]
    np.savez_compressed(tmp_path / "small.npz", *arrays)
    assert identity(weight_files.read_arrays(tmp_path / "small.npz")) == identity(arrays)


def write_member(path: Path, name: str, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", b"hello"), ("a.npy", b"\x93NUMPY\x01\x00\x0b\x00{'descr': (\n"), ("a.npy", b"")],
)
def test_members_that_are_no_arrays_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """Whatever NumPy raises, the caller gets the toolkit's own error."""
    path = write_member(tmp_path / "small.npz", name, content)
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        list(weight_files.read_arrays(path))
