"""Embeddings that were computed elsewhere are read as a data set, and nothing is unpickled."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract import load_embeddings
from extract.embedding_files import parquet_reader, raw
from extract.embedding_files.export import export
from extract.errors import DataError
from extract.options import DataSettings
from tests.commands import python
from tests.extract.embedding_files.samples import Guess, prepared_of

if TYPE_CHECKING:
    from extract.embedding_files.load import Embeddings

N = 12
LABELS = ["cat", "dog"] * 6
PATHS = [f"pictures/{i:02}.jpg" for i in range(N)]
X = np.random.default_rng(0).normal(size=(N, 5)).astype(np.float32)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROZEN_FEATURES_CACHE", str(tmp_path / "cache"))


def parquet(folder: Path, **columns: Any) -> Path:
    """Write a Parquet file; None leaves out a column."""
    given = {"path": PATHS, "label": LABELS, "embedding": X.tolist(), **columns}
    kept = {name: values for name, values in given.items() if values is not None}
    pq.write_table(pa.table(kept), folder / "e.parquet")
    return folder / "e.parquet"


def npz(folder: Path, **arrays: Any) -> Path:
    """Write a npz file; None leaves out an array."""
    given = {"paths": PATHS, "labels": LABELS, "embeddings": X, **arrays}
    np.savez(folder / "e.npz", **{k: v for k, v in given.items() if v is not None})
    return folder / "e.npz"


def npy(folder: Path, values: Any = X, table: str | None = None) -> Path:
    """Write a npy file with a table beside it."""
    np.save(folder / "e.npy", values)
    lines = ["path,label", *(f"{p},{label}" for p, label in zip(PATHS, LABELS, strict=True))]
    (folder / "e.csv").write_text("\n".join(lines) if table is None else table)
    return folder / "e.npy"


def labels_of(found: Embeddings) -> dict[str, str]:
    return {found.dataset.relative(item.path): item.label for item in found.dataset.items}


@pytest.mark.parametrize("write", [parquet, npz, npy])
def test_a_file_of_each_kind_is_read(write: Any, tmp_path: Path) -> None:
    """Labels, paths relative to the file, and every number; no image needs to be there."""
    found = load_embeddings(write(tmp_path))
    np.testing.assert_array_equal(found.X, X)
    assert labels_of(found) == dict(zip(PATHS, LABELS, strict=True))
    assert not found.dataset.has_split
    assert not found.has_images
    assert found.source.about is None
    assert len(found.source.sha256) == 64


def test_rows_are_sorted_by_path(tmp_path: Path) -> None:
    """The order of the rows plays no part."""
    order = np.random.default_rng(1).permutation(N)
    shuffled = parquet(
        tmp_path,
        path=[PATHS[i] for i in order],
        label=[LABELS[i] for i in order],
        embedding=X[order].tolist(),
    )
    found = load_embeddings(shuffled)
    np.testing.assert_array_equal(found.X, X)
    assert labels_of(found) == dict(zip(PATHS, LABELS, strict=True))


@pytest.mark.parametrize(
    "values",
    [
        pa.array(X.tolist(), pa.list_(pa.float32(), 5)),
        pa.array(X.tolist(), pa.large_list(pa.float32())),
        pa.array(X.tolist(), pa.list_(pa.float32())),
    ],
    ids=["fixed", "large", "list"],
)
def test_every_type_of_list_is_read(values: pa.Array, tmp_path: Path) -> None:
    """As different programs write them."""
    np.testing.assert_array_equal(load_embeddings(parquet(tmp_path, embedding=values)).X, X)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int16"])
def test_other_numbers_are_converted_and_that_is_said(dtype: str, tmp_path: Path) -> None:
    """To float32, which everything here is trained on."""
    values = (X * 100).astype(dtype)
    for path in (npz(tmp_path, embeddings=values), parquet(tmp_path, embedding=list(values))):
        found = load_embeddings(path)
        assert found.X.dtype == np.float32
        np.testing.assert_array_equal(found.X, values.astype(np.float32))
        remark = f"The embeddings are {dtype} and were converted to float32."
        assert remark in found.dataset.layout.remarks


def test_numbered_columns_are_embeddings(tmp_path: Path) -> None:
    """As pandas writes an array that was made a data frame, in the order of the numbers."""
    frame = pd.DataFrame(X[:, ::-1], columns=[f"dim_{i}" for i in range(4, -1, -1)])
    frame.assign(file=PATHS, species=LABELS).to_parquet(tmp_path / "wide.parquet")
    found = load_embeddings(tmp_path / "wide.parquet")
    np.testing.assert_array_equal(found.X, X)
    assert labels_of(found) == dict(zip(PATHS, LABELS, strict=True))


def test_images_are_found_again(tmp_path: Path) -> None:
    """Relative to the file; then they can be shown."""
    for path in PATHS:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    assert load_embeddings(parquet(tmp_path)).has_images


def test_columns_are_understood_as_those_of_tables(tmp_path: Path) -> None:
    """Names in other words, a validation split, groups, rows without a label."""
    found = load_embeddings(
        parquet(
            tmp_path,
            path=None, label=None,
            filename=PATHS,
            Breed=[*LABELS[:-1], None],
            subset=["train"] * 8 + ["val"] * 4,
            group=[f"g{i // 4}" for i in range(N)],
            age=list(range(N)),
        )
    )  # fmt: skip
    dataset = found.dataset
    assert dataset.classes == ["cat", "dog"]
    assert [item.split for item in dataset.items] == ["train"] * 8 + ["test"] * 3
    assert [item.group for item in dataset.items] == [f"g{i // 4}" for i in range(N - 1)]
    assert dataset.layout.passed_over == {"rows without a label": 1}
    np.testing.assert_array_equal(found.X, X[:-1])
    assert [name for table in dataset.columns for name in table.columns] == ["group", "age"]


def test_columns_can_be_named(tmp_path: Path) -> None:
    """Where a name does not tell, or tells otherwise."""
    path = parquet(
        tmp_path,
        name2=[f"other/{i}.png" for i in range(N)],
        kind=["a", "b", "c"] * 4,
        part=["train", "train", "test"] * 4,
        clip=(X * 2).tolist(),
    )
    found = load_embeddings(
        path,
        columns={"path": "name2", "label": "kind", "split": "part", "embedding": "clip"},
    )
    assert set(labels_of(found)) == {f"other/{i}.png" for i in range(N)}
    assert found.dataset.classes == ["a", "b", "c"]
    assert len(found.dataset.test) == 4
    assert found.source.column == "clip"
    row = [found.dataset.relative(i.path) for i in found.dataset.items].index("other/7.png")
    np.testing.assert_array_equal(found.X[row], X[7] * 2)
    for columns, reason in (
        ({"label": "kinds"}, r"no column 'kinds' for the label.*did you mean kind\?"),
        ({"embedding": "kind"}, "'kind' does not have the embeddings"),
        ({"group": "kind"}, "expected columns for embedding, path, label, split"),
    ):
        with pytest.raises(DataError, match=reason) as raised:
            load_embeddings(path, columns=columns)
        assert raised.value.setting == "columns"


def test_settings_of_data_sets_hold(tmp_path: Path) -> None:
    """Groups by a column, corrected labels."""
    (tmp_path / "labels.csv").write_text(f"path,label\n{PATHS[0]},dog\n{PATHS[1]},\n")
    found = load_embeddings(
        parquet(tmp_path, patient=[f"p{i // 3}" for i in range(N)]),
        labels=tmp_path / "labels.csv",
        settings=DataSettings(group_column="patient"),
    )
    assert found.dataset.group_origin == "column patient"
    assert found.dataset.n_groups() == 4
    assert labels_of(found)[PATHS[0]] == "dog"
    assert PATHS[1] not in labels_of(found)
    np.testing.assert_array_equal(found.X, np.delete(X, 1, axis=0))


def test_rows_without_paths_are_numbered(tmp_path: Path) -> None:
    """And that is said."""
    found = load_embeddings(npz(tmp_path, paths=None))
    assert [item.path.name for item in found.dataset.items][:2] == ["row-00", "row-01"]
    assert any("no column of paths" in remark for remark in found.dataset.layout.remarks)


def test_what_is_not_used_is_named(tmp_path: Path) -> None:
    """Columns that are neither text nor numbers, arrays of another length."""
    found = load_embeddings(parquet(tmp_path, box=[{"x": 1}] * N))
    assert any("left out: box" in remark for remark in found.dataset.layout.remarks)
    found = load_embeddings(npz(tmp_path, mean=np.zeros(5)))
    assert "Arrays that are not used: mean." in found.dataset.layout.remarks


def test_a_split_is_drawn_by_the_embeddings(tmp_path: Path) -> None:
    """So equal ones are never on both sides, and other names change nothing."""
    values = X.repeat(10, axis=0)[:, :5] + np.repeat(np.arange(60), 2)[:, None]
    names = [f"{i}.jpg" for i in range(120)]
    labels = ["cat", "cat", "dog", "dog"] * 30
    one = load_embeddings(npz(tmp_path, embeddings=values, paths=names, labels=labels))
    split = one.with_split(0.2, 0)
    of_digest: dict[str, set[str | None]] = {}
    digests = split.digests()
    for item in split.dataset.items:
        of_digest.setdefault(digests[item.path], set()).add(item.split)
    assert all(len(splits) == 1 for splits in of_digest.values())
    renamed = load_embeddings(
        npz(tmp_path, embeddings=values, paths=[f"z{name}" for name in names], labels=labels)
    )
    tests = [
        {one.digests()[item.path] for item in drawn.with_split(0.2, 0).dataset.items
         if item.split == "test"}
        for drawn in (one,)
    ]  # fmt: skip
    renamed_tests = {
        renamed.digests()[item.path]
        for item in renamed.with_split(0.2, 0).dataset.items
        if item.split == "test"
    }
    assert tests == [renamed_tests]


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_our_own_file_is_read_as_it_was(suffix: str, tmp_path: Path) -> None:
    """Even a class that is called as a missing value, and a name with a line feed."""
    prepared = prepared_of(tmp_path, 20, names=("new\nline.jpg", " space .jpg"))
    items = tuple(
        dataclasses.replace(item, label="nan" if item.label == "a" else "b")
        for item in prepared.dataset.items
    )
    dataset = dataclasses.replace(prepared.dataset, items=items, split_origin="drawn")
    prepared = dataclasses.replace(prepared, dataset=dataset)
    export(prepared, tmp_path / f"e{suffix}", predictor=Guess())
    found = load_embeddings(tmp_path / f"e{suffix}")
    read = {dataset.relative(item.path): (item.label, item.split, item.group) for item in items}
    assert read == {
        found.dataset.relative(item.path): (item.label, item.split, item.group)
        for item in found.dataset.items
    }
    assert found.dataset.root == prepared.dataset.root
    assert found.dataset.split_origin == "drawn"
    assert any("has predicted" in remark for remark in found.dataset.layout.remarks)
    assert not any(table.columns.keys() - {"group"} for table in found.dataset.columns)
    assert found.dataset.group_origin == "column patient"
    assert found.source.about is not None
    assert found.in_shape(np.arange(3)).shape == (3, 2, 2, 3)
    digests = [prepared.extraction.digests[item.path] for item in found.dataset.items]
    np.testing.assert_array_equal(found.X, prepared.base.embeddings(digests))


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


def test_each_column_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is never read together with the embeddings."""
    path = parquet(tmp_path, site=["s"] * N)
    reads: list[list[str]] = []

    class Counting(pq.ParquetFile):
        def read(self, columns: Any = None, **keywords: Any) -> Any:
            reads.append(columns)
            return super().read(columns=columns, **keywords)

        def iter_batches(self, *args: Any, columns: Any = None, **keywords: Any) -> Any:
            reads.append(columns)
            return super().iter_batches(*args, columns=columns, **keywords)

    monkeypatch.setattr(pq, "ParquetFile", Counting)
    load_embeddings(path)
    assert reads == [["embedding"], ["path", "label", "site"]]


def test_reading_takes_little_more_memory_than_the_embeddings(tmp_path: Path) -> None:
    """Those of 40,000 images, 123 MB, in one group of rows: less than twice that, with the text."""
    code = (
        "import resource, sys; import numpy as np, pyarrow as pa, pyarrow.parquet as pq\n"
        "from extract import load_embeddings\n"
        "def write(name, n, d=768):\n"
        "    flat = pa.array(np.random.default_rng(0).random(n * d, dtype=np.float32))\n"
        "    pq.write_table(pa.table({'path': [f'{i:06}.jpg' for i in range(n)], "
        "'label': ['ab'[i % 2] for i in range(n)], "
        "'embedding': pa.FixedSizeListArray.from_arrays(flat, d)}), name)\n"
        "if sys.argv[1] == 'write':\n"
        "    write('few.parquet', 4000); write('many.parquet', 40_000); sys.exit()\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "load_embeddings('few.parquet')\n"
        "before = peak()\n"
        "found = load_embeddings('many.parquet')\n"
        "print((peak() - before) / found.X.nbytes)"
    )
    for step in ("write", "read"):
        done = python("-c", code, step, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 2


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_our_own_file_without_groups_has_none(suffix: str, tmp_path: Path) -> None:
    """Its empty column is no column of groups."""
    prepared = prepared_of(tmp_path)
    items = tuple(dataclasses.replace(item, group=None) for item in prepared.dataset.items)
    dataset = dataclasses.replace(prepared.dataset, items=items, group_origin=None)
    export(dataclasses.replace(prepared, dataset=dataset), tmp_path / f"e{suffix}")
    found = load_embeddings(tmp_path / f"e{suffix}").dataset
    assert (found.has_groups, found.group_origin, found.layout.remarks) == (False, None, ())
