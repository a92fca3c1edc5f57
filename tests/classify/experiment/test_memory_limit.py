"""Runs whose embeddings exceed the memory limit."""

import re

import cv2
import numpy as np
import pytest

from extract.backbones.catalog import construct
from reports.reading import read_record
from tests.commands import run_command
from toolkit.libraries import import_keras


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a folder with two classes of noise, bright and dark, and random weights."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    for label, brightness in (("bright", 90), ("dark", 0)):
        (home / "pictures" / label).mkdir(parents=True)
        for i in range(80):
            picture = rng.integers(0, 160, (48, 48, 3)) + brightness
            cv2.imwrite(str(home / "pictures" / label / f"{i}.png"), picture.astype(np.uint8))
    import_keras().utils.set_random_seed(0)
    np.savez(home / "vgg16.npz", *construct("vgg16", 48).get_weights())
    return home


def classify(home, *arguments):
    return run_command(
        "classify", "--data", "pictures", "--weights", "vgg16.npz", "--size", "48",
        "--cache", "cache", "--memory-limit", "50kB", *arguments, cwd=home,
    )  # fmt: skip


@pytest.fixture(scope="module")
def run(home):
    """Run both classifiers with every option that concerns them."""
    done = classify(
        home, "--clf", "logreg,svm", "--repeats", "2", "--learning-curve",
        "--calibrate", "--target-precision", "0.7", "--out", "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert " passes over embeddings on disk: 256.0 KiB are more than the" in done.stdout
    return home / "run"


@pytest.fixture(scope="module")
def exact(home):
    """Run the classifiers that need only sums over the rows, with the same options."""
    done = classify(
        home, "--clf", "ridge,lda", "--repeats", "2", "--learning-curve",
        "--calibrate", "--target-precision", "0.7", "--out", "exact",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return home / "exact"


@pytest.mark.slow
def test_ridge_and_lda_are_trained_on_embeddings_on_disk(exact, home):
    """On all images, with everything but a learning curve; the saved models predict."""
    found = read_record(exact)
    assert found.learning_curves == []
    for result in found.results:
        assert result.accuracy > 0.9
        assert len(result.repeats) == 2
        assert result.threshold is not None
        assert result.search.method == "cross-validation"
        passed, curve = result.notes
        assert passed.startswith("trained in 2 passes over embeddings on disk: 256.0 KiB are more")
        assert curve.startswith("no learning curve: ")
    assert [result.search.chosen_by for result in found.results] == ["squared error", "log loss"]
    for classifier in ("ridge", "lda"):
        done = run_command(
            "classify.predict", "exact", "pictures/bright/0.png", "pictures/dark/0.png",
            "--clf", classifier, "--cache", "cache", cwd=home,
        )  # fmt: skip
        assert [line.split()[1] for line in done.stdout.splitlines()] == ["bright", "dark"]


@pytest.mark.slow
def test_the_dense_head_is_trained_on_embeddings_on_disk(home):
    """With everything but a learning curve; the report says so, and the saved model predicts."""
    done = classify(
        home, "--clf", "dense", "--memory-limit", "1KB", "--repeats", "2", "--learning-curve",
        "--calibrate", "--target-precision", "0.7", "--learning-rate", "1e-3,1e-2",
        "--out", "dense",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = read_record(home / "dense")
    (result,) = found.results
    assert result.accuracy > 0.9
    assert len(result.repeats) == 2
    assert result.temperature > 0
    epochs, passed, *_, curve = result.notes
    n_passes = 1 + 2 * 5 + len(result.history["loss"])
    assert epochs.startswith("trained on all images for ")
    assert passed.startswith(f"trained in {n_passes} passes over embeddings on disk: 256.0 KiB are")
    assert curve.startswith("no learning curve: ")
    assert found.learning_curves == []
    assert passed in (home / "dense" / "report.html").read_text(encoding="utf-8")
    done = run_command(
        "classify.predict", "dense", "pictures/bright/0.png", "pictures/dark/0.png",
        "--cache", "cache", cwd=home,
    )  # fmt: skip
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["bright", "dark"]


@pytest.mark.slow
def test_a_run_says_that_the_embeddings_stayed_on_disk(run):
    """The titles and notes say so, in the record and on the page."""
    page = (run / "report.html").read_text(encoding="utf-8")
    logreg, svm = read_record(run).results
    assert logreg.title == "Logistic regression on frozen features, from disk"
    assert svm.title == "Linear SVM on frozen features, from disk"
    for result in (logreg, svm):
        assert result.title in page
        passed, *_, curve = result.notes
        kernel = ", with a linear kernel" if result is svm else ""
        told = rf"trained in \d+ passes over embeddings on disk{kernel}: 256.0 KiB are more"
        assert re.match(told, passed)
        assert curve.startswith("no learning curve: ")
        assert passed in page
    assert "on a held-out part of the training split" not in page


@pytest.mark.slow
def test_rows_on_disk_allow_everything_but_a_learning_curve(run):
    """There are accuracy, repeats, calibration and a threshold."""
    found = read_record(run)
    assert found.learning_curves == []
    for result in found.results:
        assert result.accuracy > 0.9
        assert len(result.repeats) == 2
        assert result.temperature > 0
        assert result.threshold is not None


@pytest.mark.slow
@pytest.mark.parametrize("classifier", ["logreg", "svm"])
def test_its_model_predicts(run, home, classifier):
    """A saved model classifies new images correctly."""
    done = run_command(
        "classify.predict", "run", "pictures/bright/0.png", "pictures/dark/0.png",
        "--clf", classifier, "--cache", "cache", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["bright", "dark"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--clf", "nearest"), "48.8 KiB, and nearest needs all of them at once"),
        (("--clf", "logreg,svm", "--kernel", "rbf"), "and svm with an rbf kernel needs all"),
        (("--clf", "all"), "and nearest and centroid need all of them at once"),
        (("--clf", "svm,sklearn.svm:SVC"), "and sklearn.svm:SVC needs all of them at once"),
        (("--clf", "nearest", "--layer", "block4_pool"), "and nearest needs all of them at once"),
        (("--clf", "svm", "--audit"), "and the audit needs all of them at once"),
    ],
)
def test_what_needs_all_in_memory_is_refused_before_anything_is_trained(
    run, home, arguments, words
):
    """Exit status 2, a line that says how much it is and what to do, and no folder of a run."""
    done = classify(home, *arguments, "--out", "refused")
    assert done.returncode == 2
    assert words in done.stderr
    assert "average pooling or a higher memory limit (--memory-limit)" in done.stderr
    assert not (home / "refused").exists()


@pytest.mark.slow
def test_a_limit_that_is_not_exceeded_changes_nothing(run, home):
    """The classifiers are those that need all embeddings in memory."""
    done = classify(home, "--clf", "svm", "--memory-limit", "1MB", "--out", "fits")
    assert done.returncode == 0, done.stderr
    (result,) = read_record(home / "fits").results
    assert (result.title, result.notes) == ("SVM on frozen features", [])


def test_a_limit_that_is_no_size_is_refused(tmp_path):
    """Exit status 2, and a message that says what was expected."""
    done = run_command("classify", "--memory-limit", "much", cwd=tmp_path)
    assert done.returncode == 2
    assert "--memory-limit: expected a size like 500MB" in done.stderr
