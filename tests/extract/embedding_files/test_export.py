"""Embeddings are written into one file for other programs, a part at a time."""

from __future__ import annotations

import builtins
import csv
import json
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from cache.errors import CacheError
from extract.datasets.further import FurtherColumns
from extract.embedding_files import rows as rows_module
from extract.embedding_files.about import KEY, About
from extract.embedding_files.export import about_file, check_target, export, open_predictor
from extract.embedding_files.rows import EmbeddingRows
from extract.errors import DataError
from tests.commands import python
from tests.extract.embedding_files.samples import NAMES, Guess, prepared_of
from toolkit.csv_cells import decode_text

if TYPE_CHECKING:
    from extract.prepare import Prepared

FORMATS = (".parquet", ".npz", ".csv")


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return prepared_of(tmp_path, names=NAMES)


def expected(prepared: Prepared) -> np.ndarray:
    """Return the embeddings as the cache has them."""
    digests = [prepared.extraction.digests[item.path] for item in prepared.dataset.items]
    return prepared.base.embeddings(digests)


def in_parquet(name: str) -> str:
    """Return a text as it is in a file that holds only UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def as_pandas(path: Path) -> dict[str, list[Any]]:
    columns = pd.read_parquet(path).to_dict("list")
    columns["group"] = [None if group != group else group for group in columns["group"]]
    return columns


def as_polars(path: Path) -> dict[str, list[Any]]:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    return polars.read_parquet(path).to_dict(as_series=False)


def as_duckdb(path: Path) -> dict[str, list[Any]]:
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    found = duckdb.sql(f"SELECT * FROM '{path}'")
    return dict(zip(found.columns, map(list, zip(*found.fetchall(), strict=True)), strict=True))


@pytest.mark.parametrize("read", [as_pandas, as_polars, as_duckdb])
def test_a_parquet_file_opens_in_other_programs(
    read: Any, prepared: Prepared, tmp_path: Path
) -> None:
    """With the paths, labels, splits and groups of all rows, and exactly their embeddings."""
    export(prepared, tmp_path / "e.parquet")
    found = read(tmp_path / "e.parquet")
    items = prepared.dataset.items
    assert list(found) == ["path", "label", "split", "group", "embedding"]
    relative = [in_parquet(prepared.dataset.relative(item.path)) for item in items]
    assert found["path"] == relative
    assert found["label"] == [item.label for item in items]
    assert found["split"] == [item.split for item in items]
    assert found["group"] == [item.group for item in items]
    np.testing.assert_array_equal(np.array([*map(list, found["embedding"])]), expected(prepared))


def test_a_parquet_file_has_embeddings_of_fixed_size_and_their_recipe(
    prepared: Prepared, tmp_path: Path
) -> None:
    """The type says how many numbers, the metadata which ones."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    export(prepared, tmp_path / "e.parquet")
    schema = pq.read_schema(tmp_path / "e.parquet")
    assert schema.field("embedding").type == pa.list_(pa.float32(), 12)
    about = About.from_json(schema.metadata[KEY.encode()])
    assert about.shape == [2, 2, 3]
    assert about.classes == ["a", "b"]
    assert about.recipe == json.loads(prepared.base.recipe.canonical)
    assert about.fingerprint == prepared.base.recipe.fingerprint
    assert about.root == str(tmp_path / "pictures")
    assert about.groups == "column patient"
    assert about.model is None


def test_a_npz_file_is_read_without_pickle(prepared: Prepared, tmp_path: Path) -> None:
    """Text is text of NumPy; no group is an empty one."""
    export(prepared, tmp_path / "e.npz")
    items = prepared.dataset.items
    with np.load(tmp_path / "e.npz", allow_pickle=False) as found:
        assert set(found) == {"embeddings", "paths", "labels", "splits", "groups", "recipe"}
        np.testing.assert_array_equal(found["embeddings"], expected(prepared))
        assert found["embeddings"].dtype == np.float32
        assert found["paths"].tolist() == [
            in_parquet(prepared.dataset.relative(item.path)) for item in items
        ]
        assert found["labels"].tolist() == [item.label for item in items]
        assert found["splits"].tolist() == [item.split for item in items]
        assert found["groups"].tolist() == [item.group or "" for item in items]
        about = About.from_json(found["recipe"].tobytes())
    assert about.fingerprint == prepared.base.recipe.fingerprint


def test_a_csv_file_has_every_bit_of_an_embedding(prepared: Prepared, tmp_path: Path) -> None:
    """Cells are encoded as in our other tables; what all rows share is in a file beside it."""
    export(prepared, tmp_path / "e.csv")
    with (tmp_path / "e.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == [*("path", "label", "split", "group"), *(f"embedding_{i}" for i in range(12))]
    paths = [decode_text(row[0]) for row in rows]
    items = prepared.dataset.items
    assert paths == [in_parquet(prepared.dataset.relative(item.path)) for item in items]
    numbers = np.array([[float(cell) for cell in row[4:]] for row in rows], np.float32)
    np.testing.assert_array_equal(numbers, expected(prepared))
    about = About.from_json((tmp_path / "e.csv.json").read_text())
    assert about.fingerprint == prepared.base.recipe.fingerprint


def test_parts_are_joined_in_order(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file does not depend on how many rows are in memory at a time."""
    whole = [tmp_path / f"whole{suffix}" for suffix in FORMATS]
    for path in whole:
        export(prepared, path, predictor=Guess())
    monkeypatch.setattr(rows_module, "MOST_ROWS_PER_PART", 5)
    for path in whole:
        parts = path.with_stem("parts")
        export(prepared, parts, predictor=Guess())
        if path.suffix == ".parquet":
            pd.testing.assert_frame_equal(pd.read_parquet(parts), pd.read_parquet(path))
        else:
            assert parts.read_bytes() == path.read_bytes()


def test_predictions_stand_beside_the_embeddings(prepared: Prepared, tmp_path: Path) -> None:
    """The class and all probabilities; nothing where a model cannot use a file."""
    for suffix in FORMATS:
        export(prepared, tmp_path / f"e{suffix}", predictor=Guess())
    frame = pd.read_parquet(tmp_path / "e.parquet")
    assert frame["predicted"].isna().tolist() == [True, *[False] * 11]
    assert frame["predicted"].tolist()[1:] == ["b"] * 11
    assert np.isnan(frame["probabilities"][0]).all()
    assert frame["probabilities"][1].tolist() == [0.25, 0.75]
    with np.load(tmp_path / "e.npz") as found:
        assert found["predicted"].tolist() == ["", *["b"] * 11]
        assert found["probabilities"][1:].tolist() == [[0.25, 0.75]] * 11
        assert found["classes"].tolist() == ["a", "b"]
        model = About.from_json(found["recipe"].tobytes()).model
    assert model == {"run": "run", "classifier": "guess", "classes": ["a", "b"]}
    table = pd.read_csv(tmp_path / "e.csv")
    assert table["probability b"].tolist()[1:] == [0.75] * 11
    assert table.loc[0, ["predicted", "probability a"]].isna().all()


def test_further_columns_of_the_data_go_along(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """But not the one that has the groups; one that is called as ours is renamed.

    A npz file has none, and that is said.
    """
    plain = prepared_of(tmp_path)
    rows = [(item.path, ["p", str(i), "x"]) for i, item in enumerate(plain.dataset.items)]
    rows[3] = rows[3][0], ["p", "", "x"]
    columns = FurtherColumns(Path("t.csv"), {"patient": 0, "age": 1, "predicted": 2}, rows)
    prepared = prepared_of(tmp_path, columns=(columns,))
    export(prepared, tmp_path / "e.parquet")
    frame = pd.read_parquet(tmp_path / "e.parquet")
    assert list(frame)[4:] == ["age", "predicted of the table", "embedding"]
    assert frame["age"].isna().tolist() == [i == 3 for i in range(12)]
    export(prepared, tmp_path / "e.npz")
    assert "e.npz has no further columns: age, predicted of the table are left out" in caplog.text
    assert frame["age"].tolist()[4:] == [str(i) for i in range(4, 12)]


@pytest.mark.parametrize("suffix", FORMATS)
def test_memory_does_not_grow_with_the_rows(suffix: str, tmp_path: Path) -> None:
    """Writing 125 MB of embeddings takes less than a third of that above what few rows take."""
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from extract.embedding_files.export import export\n"
        "from tests.extract.embedding_files.samples import prepared_of\n"
        "folder = Path(sys.argv[1])\n"
        "few, many = (prepared_of(folder / str(n), n, (1024,)) for n in (4096, 30_500))\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        f"export(few, folder / 'few{suffix}')\n"
        "before = peak()\n"
        f"export(many, folder / 'many{suffix}')\n"
        "print(peak() - before)"
    )
    done = python("-c", code, str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"many{suffix}").stat().st_size > 100e6
    assert int(done.stdout) < 40e6


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_is_replaced_only_if_that_is_allowed(
    suffix: str, prepared: Prepared, tmp_path: Path
) -> None:
    """And a second export is the first one again."""
    path = tmp_path / f"e{suffix}"
    path.write_text("mine")
    with pytest.raises(DataError, match="exists, and no file is overwritten") as raised:
        export(prepared, path)
    assert raised.value.setting == "force"
    assert path.read_text() == "mine"
    export(prepared, path, overwrite=True)
    first = path.read_bytes()
    export(prepared, path, overwrite=True)
    assert path.read_bytes() == first


def test_a_file_that_appears_meanwhile_is_kept(prepared: Prepared, tmp_path: Path) -> None:
    """Embedding may take hours; somebody else may use the name."""
    path = tmp_path / "e.npz"

    class Slow(Guess):
        def predict(self, files: Any) -> Any:
            path.write_text("mine")
            return super().predict(files)

    with pytest.raises(DataError, match="exists"):
        export(prepared, path, predictor=Slow())
    assert path.read_text() == "mine"
    assert not list(tmp_path.glob(".tmp-*"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of POSIX")
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_leaves_nothing_behind(suffix: str, tmp_path: Path) -> None:
    """Neither under the name nor beside it; the file from before stays."""
    prepared, path = prepared_of(tmp_path, 3000, (64,)), tmp_path / "out" / f"e{suffix}"
    path.parent.mkdir()
    path.write_text("from before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(CacheError, match=r"cannot write .*; make room or choose") as raised:
            export(prepared, path, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.setting == "export"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_text() == "from before"


def test_stopping_leaves_nothing_behind(prepared: Prepared, tmp_path: Path) -> None:
    """Ctrl-C while rows are written."""

    def stop(stage: str, done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(prepared, tmp_path / "out" / "e.parquet", progress=stop)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_target_is_checked_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Format, kind, place, and the package for it."""
    (tmp_path / "file").touch()
    (tmp_path / "folder.npz").mkdir()
    for name, reason in {
        "e.parkett": r"\(did you mean .parquet\?\)",
        "e": "one of the suffixes .parquet, .npz, .csv",
        "folder.npz": "is a folder",
        "file/e.npz": "file is not a folder",
    }.items():
        with pytest.raises(DataError, match=reason):
            check_target(tmp_path / name)
    with pytest.raises(DataError, match="is an address"):
        check_target(Path("s3://bucket/e.npz"))
    check_target(tmp_path / "new" / "folders" / "e.NPZ")
    assert not (tmp_path / "new").exists()

    monkeypatch.setattr("os.access", lambda path, *_: Path(path) != tmp_path)
    with pytest.raises(DataError, match="may not be written to"):
        check_target(tmp_path / "e.npz")


def test_the_extra_for_parquet_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without pyarrow, npz and CSV are left."""
    real = builtins.__import__

    def without(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"pip install '\.\[tables\]', or use a \.npz file"):
        check_target(tmp_path / "e.parquet")
    check_target(tmp_path / "e.npz")


def test_the_package_that_predicts_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """If an installation does not have it."""
    monkeypatch.setattr("extract.embedding_files.export.entry_points", lambda **_: ())
    with pytest.raises(DataError, match="pip install"):
        open_predictor(Path("run"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "install a newer one"),
        ({"fingerprint": "0" * 64}, "not have the fingerprint"),
        ({"shape": [2, -1]}, "metadata are damaged"),
        ({"classes": "ab"}, "metadata are damaged"),
        ({"more": 1}, "metadata are damaged"),
    ],
)
def test_metadata_are_checked(change: dict[str, Any], reason: str, prepared: Prepared) -> None:
    """A file may come from anybody."""
    about = EmbeddingRows(prepared).about
    assert About.from_json(about.to_json()) == about
    with pytest.raises(DataError, match=reason):
        About.from_json(json.dumps({**json.loads(about.to_json()), **change}))
    with pytest.raises(DataError, match="metadata are damaged"):
        About.from_json(b"\xff{")


def test_the_file_beside_a_csv_file_is_named_after_it(prepared: Prepared, tmp_path: Path) -> None:
    """It is not overwritten either."""
    about_file(tmp_path / "e.csv").write_text("mine")
    with pytest.raises(DataError, match=r"e\.csv\.json exists"):
        export(prepared, tmp_path / "e.csv")
    assert not (tmp_path / "e.csv").exists()
