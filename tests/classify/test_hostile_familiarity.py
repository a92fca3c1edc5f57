"""The file that new images are compared with, damaged or made by somebody else: one clear error."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from classify import persistence
from classify.errors import ModelError
from classify.evaluation.unfamiliar.familiarity import Familiarity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Sings:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def sound() -> dict[str, np.ndarray]:
    return Familiarity().fit(np.random.default_rng(0).normal(size=(30, 8))).to_arrays()


def saved(arrays: dict[str, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays, **options)
    return file.getvalue()


def with_member(name: str, content: bytes) -> bytes:
    """Return a sound file with another member of this name."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(saved(sound()))) as old,
        zipfile.ZipFile(file, "w") as new,
    ):
        for member in old.namelist():
            new.writestr(member, content if member == name else old.read(member))
    return file.getvalue()


def claiming(shape: tuple[int, ...]) -> bytes:
    """Return an array whose header claims a shape that its bytes do not have."""
    file = io.BytesIO()
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + b"\0" * 16


def compressed() -> bytes:
    """Return a bomb: 1 GB of zeros in a few kilobytes would be unpacked before it is looked at."""
    file = io.BytesIO()
    np.savez_compressed(file, **(sound() | {"rows": np.zeros((2000, 1000), np.float16)}))
    return file.getvalue()


def objects(folder: Path) -> bytes:
    singing = np.array([Sings(folder / "sung")], dtype=object)
    return saved(sound() | {"rows": singing}, allow_pickle=True)


def pickle_in_place_of_an_array(folder: Path) -> bytes:
    import pickle

    return with_member("rows.npy", pickle.dumps(Sings(folder / "sung")))


HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "nothing": lambda _: b"",
    "no archive": lambda _: b"\x93NUMPY" * 100,
    "cut off": lambda _: saved(sound())[:-40],
    "a bit flipped": lambda _: saved(sound()).replace(b"rows.npy", b"rowz.npy"),
    "objects": objects,
    "a pickle": pickle_in_place_of_an_array,
    "a huge shape": lambda _: with_member("rows.npy", claiming((2**40, 2**20))),
    "a negative shape": lambda _: with_member("rows.npy", claiming((-1, 8))),
    "a shape that overflows": lambda _: with_member("rows.npy", claiming((2**32, 2**32))),
    "compressed": lambda _: compressed(),
    "an array is missing": lambda _: saved({"format": np.array(1)}),
    "no array but a text": lambda _: with_member("rows.npy", b"text"),
    "one dimension": lambda _: saved(sound() | {"rows": np.zeros(30, np.float16)}),
    "several formats": lambda _: saved(sound() | {"format": np.array([1, 1])}),
    "words": lambda _: saved(sound() | {"n_neighbours": np.array("five")}),
    "other numbers of rows": lambda _: saved(sound() | {"rows": np.ones((9, 8), np.float16)}),
    "complex numbers": lambda _: saved(sound() | {"format": np.array(1j)}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_one_clear_error_and_runs_nothing(tmp_path: Path, kind: str) -> None:
    """Also where its SHA-256 is that of the record, which the same person may have written."""
    path = tmp_path / "familiarity-vgg16.npz"
    path.write_bytes(HOSTILE[kind](tmp_path))
    with pytest.raises(ModelError, match=r"familiarity-vgg16\.npz"):
        persistence.load_familiarity(path)
    assert not (tmp_path / "sung").exists()


@pytest.mark.parametrize(
    "kind",
    ["objects", "a huge shape", "a negative shape", "a shape that overflows", "compressed"],
)
def test_what_would_run_or_take_memory_is_refused_before_arrays_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """By the headers alone."""
    path = tmp_path / "familiarity-vgg16.npz"
    path.write_bytes(HOSTILE[kind](tmp_path))
    reads: list[object] = []
    monkeypatch.setattr(np, "load", lambda *given, **_: reads.append(given))
    with pytest.raises(ModelError, match=r"familiarity-vgg16\.npz"):
        persistence.load_familiarity(path)
    assert reads == []


def test_the_sound_file_is_read(tmp_path: Path) -> None:
    """So that the others fail for what they are."""
    path = tmp_path / "familiarity-vgg16.npz"
    path.write_bytes(with_member("none", b""))
    assert persistence.load_familiarity(path).n_samples_ == 30


def test_another_path_is_refused(tmp_path: Path) -> None:
    """One that is not there, and a FIFO, which would block."""
    with pytest.raises(ModelError, match="cannot read the model"):
        persistence.load_familiarity(tmp_path / "absent.npz")
    os.mkfifo(tmp_path / "fifo.npz")
    with pytest.raises(ModelError, match="not a regular file"):
        persistence.load_familiarity(tmp_path / "fifo.npz")
