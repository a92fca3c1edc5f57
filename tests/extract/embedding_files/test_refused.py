"""Files of embeddings that cannot be used are refused, and nothing is unpickled."""

from __future__ import annotations

import contextlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extract import load_embeddings
from extract.embedding_files import parquet_reader, raw
from extract.errors import DataError
from tests.extract.embedding_files.foreign import LABELS, PATHS, N, X, npy, npz, parquet


def broken(X: np.ndarray, *places: tuple[int, int], value: float = np.nan) -> np.ndarray:
    values = X.astype(np.float64)
    for place in places:
        values[place] = value
    return values


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"embeddings": broken(X, (3, 0), (5, 1))}, r"2 of 12 rows .*row 3 \(03.jpg\), row 5"),
        ({"embeddings": broken(X, (3, 0), value=np.inf)}, "1 of 12 rows"),
        ({"embeddings": broken(X, (3, 0), value=1e300)}, "finite numbers of 32 bits"),
        ({"labels": LABELS[:-1]}, "embeddings 12, .*labels 11"),
        ({"paths": [PATHS[0]] * N}, "00.jpg is in the rows 0 and 1 and 2"),
        ({"labels": np.array(LABELS, dtype=object)}, "'labels' holds Python objects"),
        ({"embeddings": X.astype(object)}, "'embeddings' holds Python objects"),
        ({"embeddings": X[:, 0]}, "expected an array of numbers of shape"),
        ({"embeddings": X.astype(complex)}, "expected an array of numbers of shape"),
        ({"embeddings": None, "one": X, "two": X}, "any of one, two may be the embeddings"),
        ({"labels": None}, "none of them has labels"),
        ({"splits": ["train", "elsewhere"] * 6}, "the split is 'elsewhere'"),
        ({"splits": ["train", ""] * 6}, "has no split, but other rows have one"),
        ({"split": ["train"] * N, "splits": ["train"] * N}, "splits or groups twice"),
    ],
)
def test_arrays_that_cannot_be_used(arrays: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """One sentence with what is wrong, and in which rows."""
    with pytest.raises(DataError, match=reason):
        load_embeddings(npz(tmp_path, **arrays))


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"embedding": [[1.0]] * 11 + [[1.0, 2.0]]}, "1 number in row 0 and 2 numbers in row 11"),
        ({"embedding": [None, *X[1:].tolist()]}, "row 0 has no embedding"),
        ({"embedding": [[1.0, None]] * N}, "12 of 12 rows are not all finite"),
        ({"embedding": [[]] * N}, "no column|expected embeddings of one length|list of numbers"),
        ({"path": [*PATHS[:-1], "zero\0.png"]}, "the path in row 11 has a zero character"),
        ({"embedding": None}, "expected a column with a list of numbers"),
        ({"path": None, "label": None, "embedding": X.tolist()}, "none of them has"),
    ],
)
def test_parquet_files_that_cannot_be_used(
    columns: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    """The same of columns."""
    with pytest.raises(DataError, match=reason):
        load_embeddings(parquet(tmp_path, **columns))


def test_lists_of_another_length_in_a_later_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is counted from the start of the file."""
    monkeypatch.setattr(parquet_reader, "_ROWS_PER_READ", 5)
    np.testing.assert_array_equal(load_embeddings(parquet(tmp_path)).X, X)
    values = [*X[:10].tolist(), [1.0], [1.0]]
    with pytest.raises(DataError, match="5 numbers in row 0 and 1 number in row 10"):
        load_embeddings(parquet(tmp_path, embedding=values))


def test_a_table_that_does_not_fit(tmp_path: Path) -> None:
    """Another number of rows, several tables, none."""
    with pytest.raises(DataError, match=r"e.npy 12, e.csv \(below its header\) 2"):
        load_embeddings(npy(tmp_path, table="path,label\na,b\nc,d\n"))
    (tmp_path / "e.tsv").touch()
    with pytest.raises(DataError, match=r"found e.csv, e.tsv"):
        load_embeddings(npy(tmp_path))
    (tmp_path / "e.tsv").unlink()
    (tmp_path / "e.csv").unlink()
    with pytest.raises(DataError, match="expected one table with a row for each"):
        load_embeddings(tmp_path / "e.npy")


class Evil:
    """Code that would run if it were unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("owned"),))


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as a file, as an array, nor as one in an archive."""
    monkeypatch.chdir(tmp_path)
    Path("e.pkl").write_bytes(pickle.dumps(Evil()))
    np.save("e.npy", np.array([Evil()] * 3, dtype=object), allow_pickle=True)
    Path("e.csv").write_text("path,label\na,x\nb,y\nc,z\n")
    np.savez("e.npz", embeddings=np.eye(3), labels=np.array([Evil()] * 3, dtype=object))
    for name in ("e.pkl", "e.npy", "e.npz"):
        with pytest.raises(DataError, match=r"could run code|can run code"):
            load_embeddings(name)
    assert not Path("owned").exists()


@pytest.mark.parametrize("write", [parquet, npz, npy])
def test_damaged_files_are_refused(write: Any, tmp_path: Path) -> None:
    """Cut anywhere; and with another byte, nothing but our own error is raised."""
    path = write(tmp_path)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for length in rng.choice(len(content), 40):
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            load_embeddings(path)
    for place in rng.choice(len(content), 120, replace=False):
        changed = bytearray(content)
        changed[place] ^= 0xFF
        path.write_bytes(changed)
        with contextlib.suppress(DataError):
            load_embeddings(path)


def test_a_small_file_cannot_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few kilobytes that claim to be megabytes, as others claim to be gigabytes."""
    monkeypatch.setattr(raw, "_LARGE", 2**24)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (2**9, 2**14)}
    )
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("embeddings.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(2**9):
            member.write(bytes(2**16))
    with pytest.raises(DataError, match=r"would take 0\.0 GiB"):
        load_embeddings(tmp_path / "bomb.npz")
    np.save(tmp_path / "claim.npy", X)
    content = (tmp_path / "claim.npy").read_bytes()
    (tmp_path / "claim.npy").write_bytes(content.replace(b"(12, 5)", b"(99, 9999999)")[:200])
    (tmp_path / "claim.csv").write_text("path,label\na,b\n")
    with pytest.raises(DataError, match=r"damaged|cannot be read"):
        load_embeddings(tmp_path / "claim.npy")


@pytest.mark.parametrize("write", [parquet, npz, npy])
def test_embeddings_beyond_the_memory_are_refused(write: Any, tmp_path: Path) -> None:
    """Before they are read."""
    path = write(tmp_path)
    with pytest.raises(DataError, match=r"12 rows\) take 0\.00 GiB, more than") as raised:
        load_embeddings(path, memory_limit=X.nbytes - 1)
    assert raised.value.setting == "memory_limit"
    assert len(load_embeddings(path, memory_limit=X.nbytes).X) == N
