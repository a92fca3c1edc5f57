"""Embeddings that were computed elsewhere are read as a data set."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract import load_embeddings
from extract.embedding_files.export import export
from extract.errors import DataError
from extract.options import DataSettings
from tests.commands import python
from tests.extract.embedding_files.foreign import LABELS, PATHS, N, X, npy, npz, parquet
from tests.extract.embedding_files.samples import Guess, prepared_of

if TYPE_CHECKING:
    from pathlib import Path

    from extract.embedding_files.load import Embeddings


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
