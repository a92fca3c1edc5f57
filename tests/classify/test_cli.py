"""`python -m classify` and `python -m classify.predict` end to end on small generated images."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import shutil
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from extract.backbones.catalog import construct
from tests.commands import python, run_command
from tests.html import text_of

if TYPE_CHECKING:
    from pathlib import Path


def draw(path: Path, label: str, seed: int) -> None:
    """Write a noise image: bright, dark or striped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.random.default_rng(seed).integers(0, 100, (48, 48, 3))
    if label == "bright":
        picture += 150
    elif label == "striped":
        picture[:, ::8] = 255
    cv2.imwrite(str(path), picture.astype(np.uint8))


NAMES = ["dense", "logreg", "svm", "nearest", "centroid", "cnn"]
ARGUMENTS = ("--weights", "vgg16.npz", "--size", "48", "--cache", "cache")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three classes of 24 images, a broken file, and a file of weights."""
    home = tmp_path_factory.mktemp("home")
    for k, label in enumerate(("bright", "dark", "striped")):
        for i in range(24):
            draw(home / "pictures" / label / f"{i}.png", label, 100 * k + i)
    (home / "pictures" / "dark" / "<script>.jpg").write_text("no image")
    np.savez(home / "vgg16.npz", *construct("vgg16", 48).get_weights())
    return home


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    """Run all classifiers once for all tests."""
    done = run_command("classify", "--data", "pictures", *ARGUMENTS, "--out", "run", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("pictures: trained on ")
    assert [line.split()[0] for line in lines if line[-2:] == " s" or line[-3:] == " ms"] == NAMES
    assert "report  run/report.html" in done.stdout
    return home / "run"


pytestmark = pytest.mark.slow


def test_a_run_folder_holds_tables_page_record_and_models(run: Path) -> None:
    """Nothing is missing, and there is nothing else."""
    assert sorted(path.name for path in run.iterdir()) == [
        "centroid.skops", "cnn.npz", "dense.npz", "evidence.csv", "familiarity-vgg16.npz",
        "logreg.skops",
        "metrics.csv", "nearest.skops", "pictures.csv", "predictions.csv", "quarantine.csv",
        "report.html", "run.json", "svm.skops",
    ]  # fmt: skip


def test_the_page_links_the_record(run: Path) -> None:
    """The record is written first, so that the page can be rendered again if that fails."""
    assert 'href="./run.json"' in (run / "report.html").read_text(encoding="utf-8")


def test_metrics_csv_begins_as_promised(run: Path) -> None:
    """One row per classifier; the interval contains the accuracy; most classifiers learn.

    But for the dense head: random weights give nearly parallel features, and on sixty pictures
    the lesson's five epochs are ten steps.
    """
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["classifier", "accuracy", "accuracy_low", "accuracy_high"]
    assert [row["classifier"] for row in rows] == NAMES
    for row in rows:
        low, accuracy, high = (float(row[c]) for c in ("accuracy_low", "accuracy", "accuracy_high"))
        assert 0 <= low <= accuracy <= high <= 1
    assert min(float(row["accuracy"]) for row in rows[1:3]) > 0.8


def test_the_record_says_how_to_repeat_the_run(run: Path) -> None:
    """It has command, seed, versions, machine, recipe, counts and quarantine."""
    record = json.loads((run / "run.json").read_text())
    assert record["command"][:5] == ["python", "-m", "classify", "--data", "pictures"]
    assert record["seed"] == 0
    assert {"python", "keras", "tensorflow", "scikit-learn"} <= set(record["versions"])
    assert record["machine"]["cores"] >= 1
    (base,) = record["bases"]
    assert len(base["recipe"]["fingerprint"]) == 64
    assert base["extraction"] | {"seconds": 0} == {
        "images": 73, "cached": 0, "computed": 72, "quarantined": 1, "seconds": 0,
    }  # fmt: skip
    assert record["quarantine"][0]["path"] == "dark/<script>.jpg"
    grids = {result["classifier"]: result["search"] for result in record["results"]}
    assert len(grids["logreg"]["points"]) == 13
    assert [(pair["first"], pair["second"]) for pair in record["comparisons"]] == list(
        itertools.combinations(NAMES, 2)
    )
    assert {point["params"]["kernel"] for point in grids["svm"]["points"]} == {"linear", "rbf"}


def test_hostile_names_stay_text_in_the_page(run: Path) -> None:
    """A file called <script> does not become a script."""
    page = (run / "report.html").read_text()
    assert "<script>.jpg" not in page
    assert "&lt;script&gt;.jpg" in page


def test_predictions_csv_has_every_test_image_per_classifier(run: Path) -> None:
    """Columns are path, true class, predicted class and probability; classifiers in order."""
    record = json.loads((run / "run.json").read_text())
    n_test = sum(record["data"]["test_counts"])
    with (run / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["classifier", "path", "true", "predicted", "probability"]
    assert len(rows) == len(NAMES) * n_test
    for result in record["results"]:
        mine = [row for row in rows if row["classifier"] == result["classifier"]]
        assert sum(row["true"] == row["predicted"] for row in mine) == result["n_correct"]


def test_the_same_seed_gives_the_same_figures(run: Path, home: Path) -> None:
    """A second run on the same machine reports the same accuracies and probabilities."""
    done = run_command("classify", "--data", "pictures", *ARGUMENTS, "--out", "again", "--json",
                  cwd=home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["cached"], summary["computed"], summary["quarantined"]) == (72, 0, 1)
    assert summary["layout"] == "class-folders"
    assert sum(n for splits in summary["classes"].values() for n in splits.values()) == 72
    assert (home / "again" / "predictions.csv").read_text() == (run / "predictions.csv").read_text()


def test_nothing_is_written_over(run: Path, home: Path) -> None:
    """A folder that contains files is refused before anything is computed."""
    done = run_command("classify", "--data", "pictures", *ARGUMENTS, "--out", "run", cwd=home)
    assert done.returncode == 2
    assert "run is not empty" in done.stderr
    assert (run / "run.json").exists()


def test_a_warm_svm_never_imports_tensorflow(run: Path, home: Path) -> None:
    """With every embedding in the cache, `--clf svm` needs only scikit-learn."""
    code = (
        "import sys; from classify.cli import main; status = main(sys.argv[1:]); "
        "sys.exit('imported TensorFlow' if 'tensorflow' in sys.modules else status)"
    )
    done = python("-c", code, "--data", "pictures", *ARGUMENTS, "--clf", "svm", cwd=home)
    assert done.returncode == 0, done.stderr
    assert (home / "runs").is_dir()


@pytest.mark.parametrize("classifier", NAMES)
def test_predict_agrees_with_the_run(run: Path, home: Path, classifier: str) -> None:
    """A loaded model predicts for the test images what the run predicted."""
    with (run / "predictions.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["classifier"] == classifier]
    images = [str(home / "pictures" / row["path"]) for row in rows]
    done = run_command("classify.predict", "run", *images, "--clf", classifier, "--cache", "cache",
                  cwd=home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [line.rsplit("  ", 2) for line in done.stdout.splitlines()]
    assert [answer[1] for answer in answers] == [row["predicted"] for row in rows]
    for answer, row in zip(answers, rows, strict=True):
        assert float(answer[2]) == pytest.approx(float(row["probability"]), abs=2e-3)


def test_a_model_that_is_not_the_one_saved_is_refused(run: Path, home: Path) -> None:
    """run.json has the hash of each model's file; a changed byte is a clear error."""
    results = json.loads((run / "run.json").read_text())["results"]
    for result in results:
        content = (run / result["model"]).read_bytes()
        assert result["model_sha256"] == hashlib.sha256(content).hexdigest()
    shutil.copytree(run, home / "changed")
    with (home / "changed" / "svm.skops").open("ab") as file:
        file.write(b"x")
    arguments = ("changed", "pictures", "--clf", "svm", "--cache", "cache")
    done = run_command("classify.predict", *arguments, cwd=home)
    assert done.returncode == 2
    assert "not the file that the run has written" in done.stderr
    assert done.stderr.count("error:") == 1


def test_predict_takes_folders_and_names_broken_images(run: Path, home: Path) -> None:
    """A new folder is classified; files that are not images are named; --csv writes a table."""
    draw(home / "new" / "a.png", "bright", 7)
    draw(home / "new" / "b.png", "striped", 8)
    (home / "new" / "broken.jpg").write_text("no image")
    done = run_command("classify.predict", str(run), "new", "--cache", "cache", cwd=home)
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first.startswith("new/a.png  bright  ")
    assert second.startswith("new/b.png  striped  ")
    assert third.startswith("new/broken.jpg  cannot be used as an image: not an image")
    done = run_command("classify.predict", str(run), "new", "--cache", "cache", "--csv", "out.csv",
                  cwd=home)  # fmt: skip
    assert "2 images classified, 1 broken" in done.stdout
    with (home / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["bright", "striped", ""]
    assert rows[2]["problem"].startswith("not an image")
    done = run_command("classify.predict", str(run), "new", "--cache", "cache", "--csv", "-",
                  cwd=home)  # fmt: skip
    assert done.stdout == (home / "out.csv").read_text()
    assert not (home / "-").exists()


def test_predict_says_what_it_did_not_look_at(run: Path, home: Path) -> None:
    """In a folder by kind; a picture with a strange suffix is recognised if it is named."""
    draw(home / "mixed" / "a.png", "bright", 7)
    for name in ("dog.jpg?w=600", "cat.jpg_large", "bare"):
        shutil.copy(home / "mixed" / "a.png", home / "mixed" / name)
    (home / "mixed" / "notes.txt").write_text("x")
    done = run_command("classify.predict", str(run), "mixed", "--cache", "cache", cwd=home)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert "mixed: 1 image; not looked at: " in done.stderr
    assert "1 .txt file" in done.stderr
    assert "mixed: 3 of these are images by content, for example mixed/bare" in done.stderr
    named = run_command("classify.predict", str(run), "mixed/dog.jpg?w=600", "--cache", "cache",
                   cwd=home)  # fmt: skip
    assert named.stdout.startswith("mixed/dog.jpg?w=600  bright  ")
    (home / "mixed" / "a.png").unlink()
    (home / "mixed" / "bare").unlink()
    none = run_command("classify.predict", str(run), "mixed", "--cache", "cache", cwd=home)
    assert none.returncode == 2
    assert "contains no images" in none.stderr
    assert "2 files as 'cat.jpg_large' are images by their content: rename them" in none.stderr


def test_predict_of_nothing_but_broken_files_is_a_failure(run: Path, home: Path) -> None:
    """Each is named with the reason; the exit status is 2."""
    (home / "broken.jpg").write_text("no image")
    done = run_command("classify.predict", "run", "broken.jpg", "--cache", "cache", cwd=home)
    assert done.returncode == 2
    assert "broken.jpg  cannot be used as an image" in done.stdout
    assert "none of the files can be used" in done.stderr


def test_reports_renders_the_run_again_from_its_record_alone(run: Path, home: Path) -> None:
    """run.json, predictions.csv and evidence.csv are enough to render the page."""
    bare = home / "bare"
    bare.mkdir()
    for name in ("run.json", "predictions.csv", "evidence.csv"):
        (bare / name).write_bytes((run / name).read_bytes())
    done = run_command("reports", "bare", cwd=home)
    assert done.returncode == 0, done.stderr
    again, before = (
        text_of(folder / "report.html").partition("Files of this run")[0] for folder in (bare, run)
    )
    assert "Logistic regression" in before
    assert again == before


def test_models_of_another_base_are_refused(run: Path, home: Path) -> None:
    """Weights other than those of the run are refused."""
    np.savez(home / "other.npz", *construct("vgg16", 48).get_weights())
    picture = "pictures/dark/0.png"
    done = run_command("classify.predict", "run", picture, "--weights", "other.npz", cwd=home)
    assert done.returncode == 2
    assert "are not the ones that were used" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--clf", "forest"], "unknown classifier 'forest'"),
        (["--data", "one"], "at least two classes"),
        (["--data", "few"], "2 classes have too few images to train and to test on: 'b' (1)"),
        (["--data", "half.csv"], "1 class has too few images in the test split: 'b' (0)"),
    ],
)
def test_data_that_cannot_be_learnt_are_an_error_at_once(
    home: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """One class, a class with one image, a class missing from a split: all before extraction."""
    for name in ("one/a/1", "one/a/2", "few/a/1", "few/a/2", "few/a/3", "few/b/1"):
        draw(tmp_path / f"{name}.png", "dark", 0)
    draw(tmp_path / "few/c/2.png", "dark", 0)
    rows = [
        "few/a/1.png,a,train",
        "few/a/2.png,a,train",
        "few/a/3.png,a,test",
        "few/b/1.png,b,train",
        "few/c/2.png,b,train",
    ]
    (tmp_path / "half.csv").write_text("path,label,split\n" + "\n".join(rows))
    weights = ("--weights", str(home / "vgg16.npz"), "--cache", "cache")
    done = run_command("classify", *arguments, *weights, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("error:") == 1
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent", "new"], "absent is not a run"),
        (["run", "absent.jpg"], "there is no file or folder absent.jpg"),
        (["run", "new", "--clf", "forest"], "holds no classifier 'forest'; it holds: dense"),
    ],
)
def test_predict_names_the_users_mistake(
    run: Path, home: Path, arguments: list[str], message: str
) -> None:
    """The exit status is 2, with a message of one line."""
    done = run_command("classify.predict", *arguments, "--cache", "cache", cwd=home)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line
