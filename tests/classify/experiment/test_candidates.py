"""From names and estimators to the classifiers of a run."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from classify import LDA, SVM, Centroid, ClassifierError, LogReg
from classify.estimators.wrapped import WrappedClassifier
from classify.experiment.candidates import Candidate, candidates_of
from classify.experiment.settings import TrainingSettings

SETTINGS = TrainingSettings(kernel="linear")


def names_of(classifiers: object) -> list[str]:
    return [candidate.name for candidate in candidates_of(classifiers, SETTINGS)]


@pytest.mark.parametrize(
    ("classifiers", "names"),
    [
        ("svm", ["svm"]),
        ("svm,logreg", ["svm", "logreg"]),
        (SVM(), ["svm"]),
        (SVC(), ["SVC"]),
        (("mine", SVC()), ["mine"]),
        (("svm", "logreg"), ["svm", "logreg"]),
        (["svm", SVM(), ("svm", SVC())], ["svm", "svm-2", "svm-3"]),
        (["sklearn.svm:SVC", SVC()], ["sklearn.svm:SVC", "SVC"]),
        (WrappedClassifier(SVC()), ["WrappedClassifier"]),
    ],
)
def test_every_classifier_has_a_unique_name(classifiers: object, names: list[str]) -> None:
    """Names, estimators and pairs of both, alone or in a sequence."""
    assert names_of(classifiers) == names


def test_settings_are_for_names_only() -> None:
    """An estimator has its own parameters."""
    named, given = candidates_of(["svm", SVM()], SETTINGS)
    assert (named.estimator.kernel, given.estimator.kernel) == ("linear", "auto")


def test_a_seed_is_added_to_every_random_state() -> None:
    """Also to those inside a pipeline; None becomes the seed, a generator stays as it is."""
    pipeline = make_pipeline(RandomForestClassifier(random_state=3), SVC())
    (candidate,) = candidates_of(pipeline, SETTINGS)
    created = candidate.create(5).get_params()
    assert created["estimator__randomforestclassifier__random_state"] == 8
    assert created["estimator__svc__random_state"] == 5
    generator = np.random.RandomState(0)
    (candidate,) = candidates_of(LogisticRegression(random_state=generator), SETTINGS)
    state = candidate.create(5).get_params()["estimator__random_state"]
    assert isinstance(state, np.random.RandomState)


def test_a_seed_stays_within_its_range() -> None:
    """Numbers from 0 to 2**32 - 1 are seeds."""
    assert Candidate("svm", SVM(random_state=2**32 - 1)).create(3).random_state == 2


def test_the_estimator_itself_is_not_changed() -> None:
    """A candidate can be trained several times."""
    svm = SVM()
    (candidate,) = candidates_of(svm, SETTINGS)
    assert candidate.create(1) is not svm
    assert svm.random_state == 0


def test_what_replaces_a_classifier_on_disk() -> None:
    """Only linear classifiers have a replacement; it keeps the parameters that it has, too."""
    streamed = Candidate("mine", LogReg(C=1, class_weight="balanced")).streamed
    assert streamed is not None
    assert (streamed.name, streamed.estimator.class_weight) == ("mine", "balanced")
    itself = Candidate("lda", LDA(shrinkage=0.5, folds=3)).streamed
    assert itself is not None
    assert itself.estimator.get_params() == LDA(shrinkage=0.5, folds=3).get_params()
    assert Candidate("svm", SVM(kernel="rbf")).streamed is None
    assert Candidate("centroid", Centroid()).streamed is None


def test_a_name_that_is_no_file_name_is_refused() -> None:
    """Models are saved under their names."""
    with pytest.raises(ClassifierError, match=r"cannot be called '\.\./x'"):
        names_of(("../x", SVC()))
