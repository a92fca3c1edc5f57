"""`python -m classify --audit` on small real pictures with planted faults."""

from __future__ import annotations

import csv
import json
import re
import shutil
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from classify import ClassifierError, audit
from classify.auditing.findings import accuracies_without
from extract import Embedder, load_dataset
from extract.backbones.catalog import construct
from reports.records import PredictionRow
from tests.commands import run_command
from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from pathlib import Path

ARGUMENTS = ("--data", "pictures", "--weights", "vgg16.npz", "--size", "48", "--cache", "cache")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw striped and plain noise: two wrong labels, one image in both splits, one outlier."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    for label in ("plain", "striped"):
        for split, n_images in (("train", 50), ("test", 20)):
            folder = home / "pictures" / split / label
            folder.mkdir(parents=True)
            for i in range(n_images):
                picture = rng.integers(0, 256, (64, 64, 3))
                if label == "striped":
                    picture[:, ::8] = 255
                cv2.imwrite(str(folder / f"{i}.png"), picture.astype(np.uint8))
    train, test = home / "pictures" / "train", home / "pictures" / "test"
    for i in range(2):
        (train / "striped" / f"{i}.png").rename(train / "plain" / f"wrong-{i}.png")
    shutil.copy(train / "plain" / "7.png", test / "plain" / "copy.png")
    cv2.imwrite(str(train / "plain" / "tiny.png"), np.full((12, 70, 3), (9, 200, 90), np.uint8))
    import_keras().utils.set_random_seed(0)
    np.savez(home / "vgg16.npz", *construct("vgg16", 48).get_weights())
    return home


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    """Run with an audit."""
    wanted = ("--clf", "centroid,logreg", "--audit", "--out", "run")
    done = run_command("classify", *ARGUMENTS, *wanted, cwd=home)
    assert done.returncode == 0, done.stderr
    assert re.search("looks? like (a )?training images? [(]1 byte for byte[)]", done.stdout)
    return home / "run"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_test_image_that_is_in_training_is_a_leak(run: Path) -> None:
    """With the training image it equals, and the accuracies without it."""
    (leak, *_) = rows_of(run / "leaks.csv")
    assert (leak["test"], leak["train"]) == ("test/plain/copy.png", "train/plain/7.png")
    assert (leak["exact"], float(leak["cosine"])) == ("yes", 1.0)
    record = json.loads((run / "run.json").read_text())
    assert set(record["audit"]["accuracies_without_leaks"]) == {"centroid", "logreg"}
    assert "without test images that look like training images" in (run / "report.html").read_text()


def test_a_file_that_exists_twice_is_listed(run: Path) -> None:
    """With the file it is a copy of, and both labels."""
    (copy,) = rows_of(run / "copies.csv")
    assert (copy["path"], copy["copy of"]) == ("train/plain/7.png", "test/plain/copy.png")
    assert (copy["label"], copy["its label"]) == ("plain", "plain")


def test_the_accuracy_without_leaks_is_that_on_the_other_images() -> None:
    """For each classifier."""
    rows = [
        PredictionRow(name, f"{i}.png", "a", said, 0.9)
        for name, answers in (("svm", "aab"), ("cnn", "bab"))
        for i, said in enumerate(answers)
    ]
    assert accuracies_without(rows, {"0.png"}) == {"svm": 0.5, "cnn": 0.5}
    assert accuracies_without(rows, {"2.png"}) == {"svm": 1.0, "cnn": 0.5}


def test_wrong_labels_are_suspect_and_come_first(run: Path) -> None:
    """With their label and the likely one."""
    suspects = rows_of(run / "suspects.csv")
    wrong = {f"train/plain/wrong-{i}.png" for i in range(2)}
    assert wrong <= {row["path"] for row in suspects[:4]}
    for row in suspects:
        if row["path"] in wrong:
            assert (row["label"], row["likely"], row["split"]) == ("plain", "striped", "train")
    marked = [row["path"] for row in suspects if row["probably wrong"] == "yes"]
    assert marked == [row["path"] for row in suspects[: len(marked)]]
    assert wrong <= set(marked)
    assert len(marked) <= 6
    record = json.loads((run / "run.json").read_text())["audit"]
    assert (record["wrong_labels"], record["judged_labels"]) == (len(marked), 142)
    probabilities = [float(row["probability"]) for row in suspects]
    assert probabilities == sorted(probabilities)


def test_tiny_and_uniform_images_are_outliers(run: Path) -> None:
    """Each with its reason."""
    reasons = {
        row["reason"] for row in rows_of(run / "outliers.csv") if row["path"].endswith("tiny.png")
    }
    assert "tiny: 70 x 12 pixels" in reasons
    assert any(reason.startswith("nearly uniform") for reason in reasons)


def test_shortcuts_and_weak_spots_are_listed(run: Path) -> None:
    """White stripes are brighter and make a smaller file; the report says so in its first lines."""
    found = [row["property"] for row in rows_of(run / "shortcuts.csv") if row["found"] == "yes"]
    assert {"file size", "brightness"} <= set(found)
    record = json.loads((run / "run.json").read_text())
    assert record["shortcuts"] == []
    assert len(record["audit"]["weak_spots"]) == len(rows_of(run / "weak_spots.csv"))
    html = (run / "report.html").read_text()
    for words in (
        "What else predicts the label",
        "Where it fails",
        " alone predicts the label of ",
    ):
        assert words in html


def test_a_run_without_an_audit_tests_what_headers_say(home: Path) -> None:
    """In the terminal and in the record."""
    done = run_command("classify", *ARGUMENTS, "--clf", "centroid", "--out", "without", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "File size alone predicts the label of " in done.stdout
    record = json.loads((home / "without" / "run.json").read_text())
    assert record["audit"] is None
    assert {each["property"] for each in record["shortcuts"]} <= {"file size", "all together"}
    assert not (home / "without" / "shortcuts.csv").exists()


def test_the_page_shows_them(run: Path) -> None:
    """With thumbnails and reasons."""
    html = (run / "report.html").read_text()
    for words in ("Suspect labels", "plain? Rather striped", "the same file", "12 pixels"):
        assert words in html


def test_corrected_labels_are_used(run: Path, home: Path) -> None:
    """Wrong labels are corrected, the tiny image is left out, and no embedding is computed."""
    lines = (run / "suspects.csv").read_text().splitlines()
    corrected = [
        line.replace(",plain,striped,", ",striped,striped,") if "/wrong-" in line else line
        for line in lines
    ]
    corrected += ["train/plain/tiny.png,,,,,", "test/plain/3.png,striped,,,,"]
    (home / "corrected.csv").write_text("\n".join(dict.fromkeys(corrected)))
    done = run_command("classify", *ARGUMENTS, "--clf", "centroid", "--labels", "corrected.csv",
                  "--json", cwd=home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["computed"], summary["images"]) == (0, 141)
    record = json.loads((home / summary["run"] / "run.json").read_text())
    assert record["data"]["train_counts"] == [50, 50]
    changed = "the labels of 1 of 41 test images were changed (for example test/plain/3.png)"
    assert any(changed in remark for remark in record["data"]["remarks"])
    assert changed in done.stderr
    assert changed in (home / summary["run"] / "report.html").read_text()


def test_repeats_threshold_and_learning_curve_are_reported(home: Path) -> None:
    """On the terminal, in the record and on the page."""
    wanted = ("--repeats", "2", "--target-precision", "0.5", "--learning-curve")
    done = run_command("classify", *ARGUMENTS, "--clf", "nearest,logreg", *wanted, "--out",
                  "thorough", cwd=home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    for words in (
        "with each of 2 seeds on the same split",
        "predicts at any probability",
        " training images, ",
    ):
        assert words in done.stdout
        assert words in (home / "thorough" / "report.html").read_text()
    record = json.loads((home / "thorough" / "run.json").read_text())
    for result in record["results"]:
        assert result["repeats"][0] == result["accuracy"]
        assert result["threshold"]["target"] == 0.5
        assert 0 <= result["threshold"]["undecided"] <= 1
    assert [curve["classifier"] for curve in record["learning_curves"]] == ["nearest", "logreg"]
    for curve, result in zip(record["learning_curves"], record["results"], strict=True):
        assert curve["sizes"] == [12, 25, 50, sum(record["data"]["train_counts"])]
        assert curve["per_class"] is False
        assert curve["accuracies"][-1] == [result["accuracy"]]


def test_the_reported_probabilities_are_calibrated(home: Path) -> None:
    """In the table of predictions as in the reliability diagram."""
    wanted = ("--clf", "logreg", "--calibrate", "--out", "calibrated")
    done = run_command("classify", *ARGUMENTS, *wanted, cwd=home)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads((home / "calibrated" / "run.json").read_text())["results"]
    found = result["reliability"]
    assert found != result["uncalibrated"]
    rows = rows_of(home / "calibrated" / "predictions.csv")
    mean = np.average(found["probabilities"], weights=found["counts"])
    assert mean == pytest.approx(np.mean([float(row["probability"]) for row in rows]))


def test_results_survive_a_later_failure(home: Path, run: Path) -> None:
    """A classifier that cannot be trained ends the run; the results of the others are reported."""
    wanted = ("--clf", "centroid,finetune", "--unfreeze", "block9", "--out", "partly")
    done = run_command("classify", *ARGUMENTS, *wanted, cwd=home)
    assert done.returncode == 2
    assert "has no layer 'block9' to unfreeze" in done.stderr
    assert "1 classifier is reported in partly" in done.stderr
    record = json.loads((home / "partly" / "run.json").read_text())
    assert [result["classifier"] for result in record["results"]] == ["centroid"]
    assert (home / "partly" / "report.html").exists()
    pictures = rows_of(home / "partly" / "pictures.csv")
    assert pictures == rows_of(run / "pictures.csv")
    assert {row["split"] for row in pictures} == {"train", "test"}


def test_results_survive_a_bug(home: Path) -> None:
    """The traceback says where the results so far are."""
    (home / "mine.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n"
        "class Broken(LogisticRegression):\n"
        "    def fit(self, X, y):\n"
        "        raise RuntimeError('nobody foresaw this')\n"
    )
    wanted = ("--clf", "centroid,mine:Broken", "--out", "broken")
    done = run_command("classify", *ARGUMENTS, *wanted, cwd=home)
    assert (done.returncode, "nobody foresaw this" in done.stderr) == (1, True)
    assert "1 classifier is reported in broken" in done.stderr
    record = json.loads((home / "broken" / "run.json").read_text())
    assert [result["classifier"] for result in record["results"]] == ["centroid"]


def test_an_option_without_effect_is_reported(home: Path) -> None:
    """It changes nothing, and the user may have meant another classifier."""
    wanted = ("--clf", "centroid,nearest", "--learning-rate", "0.1", "--augment", "mirror")
    done = run_command("classify", *ARGUMENTS, *wanted, "--out", "vain", cwd=home)
    assert done.returncode == 0, done.stderr
    for option in ("--learning-rate", "--augment"):
        assert f"{option} has no effect on centroid or nearest" in done.stderr
    assert "--unfreeze" not in done.stderr


def test_python_finds_the_same_as_the_command(run: Path, home: Path) -> None:
    """As data frames with the columns of the tables, from a folder or from paths with labels."""
    embedder = Embedder("vgg16", size=48, weights=str(home / "vgg16.npz"), cache=home / "cache")
    found = audit(home / "pictures", embedder)
    for name in ("suspects", "leaks", "copies", "outliers", "shortcuts"):
        frame, rows = getattr(found, name), rows_of(run / f"{name}.csv")
        assert list(frame.columns) == list(rows[0])
        assert len(frame) == len(rows)
    assert found.leaks.loc[found.leaks["exact"], "test"].tolist() == ["test/plain/copy.png"]
    assert found.suspects["probability"].is_monotonic_increasing
    assert f"{len(found.suspects)} suspect labels, " in repr(found)
    assert f", {found.shortcuts['found'].sum()} shortcuts, " in repr(found)
    assert list(found.weak_spots.columns) == list(rows_of(run / "weak_spots.csv")[0])
    assert "1 copy, " in repr(found)
    html = found._repr_html_()
    assert "copy.png" in html
    assert "<script" not in html

    data = load_dataset(home / "pictures", cache=home / "cache")
    paths, labels = data.train.paths, data.train.labels
    assert audit((paths, labels), embedder).copies.empty
    with pytest.raises(ClassifierError, match="found 3 paths and 2 labels"):
        audit((paths[:3], labels[:2]), embedder)
    with pytest.raises(ClassifierError, match="at least two classes"):
        audit((paths[:3], ["plain"] * 3), embedder)
    with pytest.raises(ClassifierError, match="found int"):
        audit(5, embedder)
