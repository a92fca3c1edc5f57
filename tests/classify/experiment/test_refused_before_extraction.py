"""Runs that need more memory than they may have are refused before anything is computed."""

import hashlib

import cv2
import numpy as np
import pytest

from cache.store import Store
from classify.errors import ClassifierError
from classify.estimators.ridge import RidgeClassifier
from classify.estimators.solvers import moments
from classify.experiment.memory import expected_sizes
from extract.options import BaseSettings, DataSettings, Options
from extract.prepare import find_dataset
from tests.commands import ROOT, python, run_command

TRAIN = 128 * 512 * 4
"""Bytes of the embeddings of the training images, of VGG16 at 48 pixels."""
ALL = 160 * 512 * 4


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a folder with 80 images of each of two classes, in groups of four; and no weights."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    for label in ("bright", "dark"):
        (home / "pictures" / label).mkdir(parents=True)
        for i in range(80):
            picture = rng.integers(0, 255, (8, 8, 3)).astype(np.uint8)
            cv2.imwrite(str(home / "pictures" / label / f"{i // 4}-{i}.png"), picture)
    return home


def classify(home, limit, *arguments):
    """Run a command that fails at the latest when it looks for the weights."""
    return run_command(
        "classify", "--data", "pictures", "--weights", "missing.npz", "--size", "48",
        "--cache", "cache", "--memory-limit", str(limit), "--out", "out", *arguments, cwd=home,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "arguments", "words"),
    [
        (TRAIN - 1, ("--clf", "nearest"), "256.0 KiB are more than the memory limit of 256.0 KiB"),
        (TRAIN - 1, ("--clf", "nearest"), "of the 128 training images do not fit"),
        (TRAIN - 1, ("--clf", "centroid,dense"), "and centroid needs all of them at once"),
        (TRAIN - 1, ("--clf", "logreg,svm", "--kernel", "rbf"), "and svm with an rbf kernel needs"),
        (TRAIN - 1, ("--clf", "svm,sklearn.svm:SVC"), "and sklearn.svm:SVC needs all of them"),
        (TRAIN - 1, ("--clf", "all"), "and nearest and centroid need all of them at once"),
        (ALL - 1, ("--clf", "svm", "--audit"), "320.0 KiB are more"),
        (TRAIN * 4 - 1, ("--clf", "nearest", "--size", "64"), "1.0 MiB are more"),
        (TRAIN - 1, ("--clf", "nearest", "--pooling", "avg"), "disk, or a higher memory limit"),
        (TRAIN - 1, ("--clf", "nearest", "--group-by", r"(\d+)-"), "of the 128 training images"),
        (TRAIN, ("--clf", "nearest", "--test-size", "0.1"), "of the 144 training images"),
    ],
)
def test_a_run_that_does_not_fit_is_refused_before_anything_is_computed(
    home, limit, arguments, words
):
    """Exit status 2, before the weights are looked for; no embedding is stored, no run begun."""
    done = classify(home, limit, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "a higher memory limit (--memory-limit)" in done.stderr
    assert Store(home / "cache").recipes() == []
    assert not (home / "out").exists()


def test_images_too_small_for_a_classifier_are_refused_before_anything_is_computed(home):
    """The scratch CNN halves them four times; others are not trained first."""
    done = classify(home, ALL, "--clf", "logreg,cnn", "--size", "32")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "error: images of 32 pixels are too small for cnn; use a size of 46 or more, or leave cnn "
        "out (--size)"
    )
    assert not (home / "out").exists()


@pytest.mark.parametrize(
    ("clf", "limit", "gib", "words"),
    [
        ("svm,ridge", TRAIN - 1, 0.01, "all pairs of 512 features take 0 GiB in 5 folds"),
        ("lda", TRAIN, 0.001, "all pairs of 128 features"),
        ("ridge", TRAIN, 0.01, None),
        ("svm", TRAIN - 1, 0.001, None),
    ],
    ids=["from disk", "in memory", "fits", "without products"],
)
def test_products_that_do_not_fit_are_refused_before_anything_is_computed(
    home, clf, limit, gib, words, monkeypatch
):
    """In memory, there are no more dimensions than images; from disk, as many as features."""
    monkeypatch.setattr(moments, "memory_gib", lambda: gib)
    done = classify(home, limit, "--clf", clf)
    assert done.returncode == 2
    assert (words or "missing.npz") in done.stderr
    assert ("missing.npz" in done.stderr) == (words is None)


def test_products_are_expected_in_as_many_folds_as_the_search_has(monkeypatch):
    """Many images are searched in three folds instead of five, which takes less memory."""
    monkeypatch.setattr(moments, "memory_gib", lambda: 4.0)
    RidgeClassifier().check_memory(20_000, 8192, 2)
    with pytest.raises(ClassifierError, match="take 5 GiB in 5 folds, and this machine has 4"):
        RidgeClassifier().check_memory(9_000, 8192, 2)


@pytest.mark.parametrize(
    ("limit", "arguments"),
    [
        (TRAIN, ("--clf", "nearest")),
        (1, ("--clf", "logreg,svm,ridge,lda,dense")),
        (1, ("--clf", "cnn")),
        (ALL, ("--clf", "svm", "--audit")),
        (1, ("--clf", "nearest", "--layer", "block4_pool")),
    ],
    ids=["fits", "from disk", "on images", "audit fits", "unknown"],
)
def test_a_run_that_may_fit_goes_on(home, limit, arguments, tmp_path):
    """To the weights, which it does not find; the size of a layer is not known before them."""
    done = classify(home, limit, *arguments, "--cache", str(tmp_path / "cache"))
    assert done.returncode == 2
    assert "missing.npz" in done.stderr
    assert "memory limit" not in done.stderr


def test_a_refused_run_never_imports_tensorflow(home):
    """In a process of its own, in which nothing else has imported it."""
    code = (
        "import sys; from classify.cli import main; status = main(); "
        "sys.exit('imported TensorFlow' if 'tensorflow' in sys.modules else status)"
    )
    done = python(
        "-c", code, "--data", "pictures", "--size", "48", "--cache", "cache",
        "--memory-limit", "1KB", "--clf", "nearest", cwd=home, PYTHONPATH=str(ROOT),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "nearest needs all of them at once" in done.stderr
    assert Store(home / "cache").recipes() == []


def test_every_base_is_checked(home):
    """The one that exceeds the limit is not the first one."""
    done = run_command(
        "classify", "--data", "pictures", "--backbone", "vgg16,resnet50", "--size", "48",
        "--clf", "nearest", "--memory-limit", "512kB", cwd=home,
    )  # fmt: skip
    assert done.returncode == 2
    assert "1.0 MiB are more than the memory limit of 500.0 KiB" in done.stderr


@pytest.mark.parametrize("group_by", [None, r"(\d+)-"])
def test_the_expected_sizes_are_those_of_the_split_that_is_drawn(home, group_by):
    """By content they are a fixed number of every class, by groups those of the same groups."""
    options = Options(
        data=str(home / "pictures"),
        base=BaseSettings(size=48),
        data_settings=DataSettings(group_by=group_by),
        test_size=0.3,
        seed=3,
    )
    dataset = find_dataset(options)
    digests = [hashlib.sha256(item.path.read_bytes()).hexdigest() for item in dataset.items]
    split = dataset.with_hashed_split(digests, options.test_size, options.seed)
    sizes = expected_sizes(dataset, options, 1)
    assert (sizes.n_train, sizes.n_test) == (len(split.train), len(split.test))
    assert (sizes.n_features, sizes.pooled) == (512, False)
