"""`classify --embeddings`: everything but what needs pixels, on embeddings from elsewhere."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from classify import ClassifierError, LogReg, audit, compare
from classify.experiment.run import RunStopped
from extract import Embedder, load_embeddings
from extract.datasets.sources.shapes import draw_image
from reports import read_run
from tests.classify.experiment.recording.test_unfinished import Interruptible
from tests.commands import run_command

if TYPE_CHECKING:
    from pathlib import Path

N = 240
NOISE = 3.0
JPEG = "/9j/"
"""How a JPEG begins in Base64."""
WRONG = (10, 50, 90)
"""Rows with a wrong label."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with embeddings of three classes: labels are wrong, a row is there twice."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    codes = np.arange(N) % 3
    X = rng.normal(size=(N, 24)).astype(np.float32)
    X[np.arange(N), codes] += 6
    X[9] = X[6]
    labels = np.array(["ant", "bee", "cat"])[codes]
    labels[[*WRONG]] = np.array(["ant", "bee", "cat"])[(codes[[*WRONG]] + 1) % 3]
    site = np.where(labels == "ant", "Bonn", np.array(["Bonn", "Jena"])[rng.integers(0, 2, N)])
    pq.write_table(
        pa.table(
            {
                "path": [f"pictures/{i:03}.png" for i in range(N)],
                "label": labels,
                "site": site,
                "embedding": X.tolist(),
            }
        ),
        home / "clip.parquet",
    )
    return home


def classify(home: Path, *arguments: str) -> tuple[int, str, str]:
    done = run_command("classify", *arguments, "--cache", "cache", cwd=home)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    status, out, err = classify(
        home, "--embeddings", "clip.parquet", "--clf", "logreg,nearest", "--audit",
        "--learning-curve", "--reject", "0.05", "--out", "run",
    )  # fmt: skip
    assert status == 0, err
    assert "clip.parquet: trained on" in out
    assert "classify.predict" not in out  # nothing embeds a new image
    return home / "run"


def test_the_record_says_where_the_embeddings_are_from(run: Path, home: Path) -> None:
    """The file, its bytes and the column; there is no base."""
    record = json.loads((run / "run.json").read_text())
    (base,) = record["bases"]
    assert base["backbone"] == "given in clip.parquet"
    assert base["recipe"]["sha256"] == load_embeddings(home / "clip.parquet").source.sha256
    assert base["recipe"]["column"] == "embedding"
    assert base["recipe"]["n_features"] == 24
    assert record["data"]["root"] == ""
    assert record["settings"]["columns"] is None
    results = read_run(run)
    assert results.results["accuracy"].min() > 0.85
    assert set(results.learning_curves["classifier"]) == {"logreg", "nearest"}
    assert all(result.rejection is not None for result in results.record.results)


def test_the_audit_does_what_needs_no_pixels(run: Path) -> None:
    """Labels, equal embeddings, shortcuts and the map; what is left out is named."""
    record = read_run(run).record
    assert record.audit is not None
    first = [suspect.path for suspect in record.audit.suspects[: len(WRONG)]]
    assert set(first) == {f"pictures/{i:03}.png" for i in WRONG}
    (copy,) = record.audit.copies
    assert (copy.path, copy.of) == ("pictures/009.png", "pictures/006.png")
    assert copy.relation == "the same embedding"
    assert any(each.property == "site" and each.found for each in record.audit.shortcuts)
    assert record.embedding_map is not None
    assert len(record.embedding_map.points) == N
    assert any("leaves out what needs the pixels" in remark for remark in record.data.remarks)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "given in clip.parquet" in page
    assert "the same embedding" in page


def test_such_a_run_cannot_predict(run: Path, home: Path) -> None:
    """Nothing turns a new image into an embedding of this kind."""
    cv2.imwrite(str(home / "new.png"), draw_image("train", 0))
    done = run_command("classify.predict", "run", "new.png", cwd=home)
    assert done.returncode == 2
    assert "a run on embeddings without a frozen base" in done.stderr


def test_classifiers_of_images_are_left_out_and_named(home: Path) -> None:
    """Of all; one that is asked for by name is refused."""
    status, _, err = classify(
        home, "--embeddings", "clip.parquet", "--clf", "finetune", "--out", "no"
    )
    assert status == 2
    assert "finetune is trained on images, but the data are embeddings" in err
    with pytest.raises(ClassifierError, match="cnn is trained on images"):
        compare(load_embeddings(home / "clip.parquet"), classifiers=["cnn"])


@pytest.mark.slow
def test_all_are_those_that_take_embeddings(home: Path) -> None:
    """The rest is named."""
    status, _, err = classify(home, "--embeddings", "clip.parquet", "--out", "all")
    assert status == 0, err
    assert "left out: cnn, which is trained on images" in err
    assert {result.classifier for result in read_run(home / "all").record.results} == {
        "dense", "logreg", "svm", "nearest", "centroid",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--backbone", "xception"), ("has no meaning", "(--backbone)")),
        (("--data", "shapes"), ("has no meaning", "(--data)")),
        (("--memory-limit", "20kB"), ("more than the memory limit", "(--memory-limit)")),
        (("--columns", "label=sites"), ("did you mean site?", "(--columns)")),
        (("--columns", "labels=site"), ("embedding, path, label, split",)),
        (("--columns", "label="), ("embedding, path, label, split",)),
        (("--group-column", "hospital"), ("hospital", "(--group-column)")),
        (("--min-images", "500"), ("no class", "(--min-images)")),
    ],
)
def test_options_that_do_not_fit(
    arguments: tuple[str, ...], words: tuple[str, ...], home: Path
) -> None:
    """Status 2 and one line with the option; no folder is left."""
    status, _, err = classify(
        home, "--embeddings", "clip.parquet", *arguments, "--clf", "centroid", "--quiet",
        "--out", "no",
    )  # fmt: skip
    assert status == 2
    (line,) = err.splitlines()
    assert all(word in line for word in words), line
    assert not (home / "no").exists()


def test_columns_without_a_file_are_refused(home: Path) -> None:
    """They would have no effect."""
    status, _, err = classify(home, "--data", "shapes", "--columns", "label=x")
    assert (status, "(--embeddings)" in err) == (2, True)


def test_fewer_than_two_classes_are_refused(tmp_path: Path) -> None:
    """Before anything is trained."""
    np.savez(tmp_path / "one.npz", embeddings=np.eye(9), labels=["a"] * 9)
    status, _, err = classify(tmp_path, "--embeddings", "one.npz", "--out", "no")
    assert status == 2
    assert "at least two classes" in err
    with pytest.raises(ClassifierError, match="at least two classes"):
        audit(load_embeddings(tmp_path / "one.npz", cache=tmp_path / "cache"))


def test_equal_embeddings_on_both_sides_are_said(
    tmp_path: Path, notes: pytest.LogCaptureFixture
) -> None:
    """Of a split that the file has; one that is drawn keeps them together."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 4))
    X[1] = X[0]
    arrays = {"embeddings": X, "labels": ["a", "a", "b", "b"] * 5}
    np.savez(tmp_path / "e.npz", **arrays, splits=["train", "test"] * 10)
    given = load_embeddings(tmp_path / "e.npz", cache=tmp_path / "cache")
    run = compare(given, classifiers=["centroid"], out=tmp_path / "run", audit=True)
    assert "1 of 10 test images has the same embedding as a training image" in notes.text
    assert run.record.audit is not None
    (leak,) = run.record.audit.leaks
    assert (leak.test, leak.train) == ("row-01", "row-00")
    assert run.record.audit.accuracies_without_leaks


def test_python_takes_them_like_other_data(home: Path, tmp_path: Path) -> None:
    """`compare` and `audit`, without an embedder."""
    given = load_embeddings(home / "clip.parquet", cache=home / "cache")
    results = compare(given, classifiers=[LogReg()], out=tmp_path / "run")
    assert results.record.command == ["compare(load_embeddings('clip.parquet'), None, [LogReg()])"]
    found = audit(given)
    assert set(found.suspects["path"][: len(WRONG)]) == {f"pictures/{i:03}.png" for i in WRONG}
    assert found.n_images == N
    for call in (compare, audit):
        with pytest.raises(ClassifierError, match="need no embedder"):
            call(given, Embedder())
    with pytest.raises(ClassifierError, match="know their groups"):
        compare(given, groups=["a"] * N)


def test_images_are_shown_where_they_are(home: Path, tmp_path: Path) -> None:
    """In the report, if the paths lead to files."""
    (tmp_path / "pictures").mkdir()
    for i in range(N):
        cv2.imwrite(str(tmp_path / "pictures" / f"{i:03}.png"), draw_image("train", i % 6))
    (tmp_path / "clip.parquet").write_bytes((home / "clip.parquet").read_bytes())
    status, _, err = classify(
        tmp_path, "--embeddings", "clip.parquet", "--clf", "centroid", "--out", "run"
    )
    assert status == 0, err
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert 'id="mistakes"' in page
    assert JPEG in page
    assert read_run(tmp_path / "run").record.data.root == str(tmp_path)


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    """Too long, with a line feed, out of the folder, as a formula or half an address."""
    names = [
        "x" * 5000, "new\nline.png", "tab\t.png", "lone\ud800.png", "../../etc/passwd",
        "/dev/zero", "=cmd()", "<script>alert(1)</script>", "https://[", "con", "a//b",
        "\u202egnp.exe",
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    labels = np.array(["=a", "<b>", "c\nd"])[np.arange(36) % 3]
    np.savez(
        tmp_path / "e.npz",
        embeddings=rng.normal(size=(36, 4)) + 4 * (np.arange(36) % 3)[:, None],
        paths=[*names, *(f"{i}.png" for i in range(24))],
        labels=labels,
    )
    status, _, err = classify(
        tmp_path, "--embeddings", "e.npz", "--clf", "centroid", "--audit", "--out", "run"
    )
    assert status == 0, err
    assert "Traceback" not in err
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert JPEG not in page


def test_groups_stay_together(home: Path) -> None:
    """As those of images do, in the test split that is drawn."""
    status, _, err = classify(
        home, "--embeddings", "clip.parquet", "--clf", "centroid", "--group-by", r"(\d\d)\d\.png",
        "--out", "grouped",
    )  # fmt: skip
    assert status == 0, err
    data = read_run(home / "grouped").record.data
    assert data.groups == 24
    assert data.by_groups
    assert data.cut_groups == 0


def test_a_stopped_run_goes_on(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same file; other embeddings are refused, even of the same name."""
    given = load_embeddings(home / "clip.parquet", cache=home / "cache")
    candidates = ["centroid", Interruptible()]
    with pytest.raises(RunStopped):
        compare(given, classifiers=candidates, out=tmp_path / "run")
    monkeypatch.setattr(Interruptible, "pressed", False)
    other = dataclasses.replace(given, X=given.X + 1)
    with pytest.raises(ClassifierError, match="this is not the same one"):
        compare(other, classifiers=candidates, out=tmp_path / "run")
    finished = (tmp_path / "run" / "centroid.skops").stat().st_mtime_ns
    results = compare(given, classifiers=candidates, out=tmp_path / "run")
    assert results.record.not_done == []
    assert (tmp_path / "run" / "centroid.skops").stat().st_mtime_ns == finished
