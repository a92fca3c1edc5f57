import subprocess
import sys

import pytest

from classify import registry
from classify.errors import ClassifierError


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("all", ["dense", "logreg", "svm", "nearest", "centroid", "cnn"]),
        ("svm", ["svm"]),
        ("svm, logreg", ["svm", "logreg"]),
        ("svm,", ["svm"]),
        ("svm,all", ["svm", "dense", "logreg", "nearest", "centroid", "cnn"]),
    ],
)
def test_a_list_of_names_is_read_in_its_order_and_each_name_once(spec, expected):
    """Commas separate names, `all` stands for every name."""
    assert registry.parse_names(spec) == expected


@pytest.mark.parametrize("spec", ["forest", "", ",", "svm,forest"])
def test_an_error_about_an_unknown_name_lists_the_choices(spec):
    """Also if it is one of several names, or there is none."""
    with pytest.raises(
        ClassifierError,
        match="choose from dense, logreg, svm, ridge, lda, nearest, centroid, cnn, finetune",
    ):
        registry.parse_names(spec)


def test_a_typing_error_is_recognised():
    """The message suggests the similar name."""
    with pytest.raises(ClassifierError, match="did you mean logreg"):
        registry.parse_names("logreq")


@pytest.mark.parametrize("name", registry.CLASSIFIERS)
def test_every_name_creates_a_seeded_classifier(name):
    """Each line of the registry leads to an estimator with a title that says what it consumes."""
    estimator = registry.create(name, seed=7)
    assert estimator.get_params().get("random_state", 7) == 7
    consumed = {"cnn": "images", "finetune": "activations"}
    assert estimator.consumes == consumed.get(name, "embeddings")
    assert estimator.title


@pytest.mark.parametrize("name", ["forest", "all", "svm,logreg"])
def test_only_a_single_known_name_creates_a_classifier(name):
    """A list is refused, and so is a name that is not in the registry."""
    with pytest.raises(ClassifierError, match="unknown classifier"):
        registry.create(name, seed=0)


def test_keywords_become_parameters():
    """They reach the constructor."""
    assert registry.create("svm", seed=0, kernel="rbf").get_params()["kernel"] == "rbf"


def test_an_option_of_another_classifier_is_refused():
    """The message names the parameter and lists those that the classifier has."""
    with pytest.raises(
        ClassifierError, match="logreg has no parameter 'kernel'; it has C, class_weight, folds"
    ):
        registry.create("logreg", seed=0, kernel="rbf")


def test_listing_the_names_imports_no_heavy_library():
    """Neither scikit-learn nor TensorFlow is imported, so that `--help` is quick."""
    code = (
        "import sys; from classify import registry; registry.parse_names('all'); "
        "print([m for m in ('sklearn', 'scipy', 'tensorflow', 'keras') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_no_classifier_imports_tensorflow_before_it_trains():
    """Creating every classifier does not import TensorFlow."""
    code = (
        "import sys; from classify import registry; "
        "[registry.create(name, seed=0) for name in registry.CLASSIFIERS]; "
        "print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
