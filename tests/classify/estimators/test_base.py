import warnings

import numpy as np
import pytest

from classify.errors import ClassifierError
from classify.estimators.base import encode_labels
from classify.estimators.centroid import Centroid


def test_labels_of_any_kind_become_positions_in_the_sorted_classes():
    """Dogs are 1 and cats are 0, as in the lesson, because the class names are sorted."""
    classes, codes = encode_labels(["dogs", "cats", "dogs"])
    assert classes.tolist() == ["cats", "dogs"]
    assert codes.tolist() == [1, 0, 1]
    assert encode_labels(np.array([7, 3]))[0].tolist() == [3, 7]


def test_a_single_class_is_an_error():
    """The message names the class."""
    with pytest.raises(ClassifierError, match=r"at least two classes.*one class \(cats\)"):
        encode_labels(["cats", "cats"])


def test_no_labels_are_an_error():
    """An empty list of labels is a `ClassifierError`, not an error of NumPy."""
    with pytest.raises(ClassifierError, match="found none"):
        encode_labels([])


def test_a_class_with_too_few_images_is_an_error():
    """The message lists the classes that are too small, and no others."""
    with pytest.raises(ClassifierError, match="in: cow, pig; "):
        encode_labels(["cow", "cat", "cat", "pig"], min_count=2)


def test_many_small_classes_are_not_taken_for_a_regression():
    """No warning of scikit-learn's: 40 classes in 60 images are labels, too."""
    names = [f"class-{i % 40:02}" for i in range(60)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Centroid().fit(np.random.default_rng(0).random((60, 3)), names)
    assert [str(warning.message) for warning in caught] == []
