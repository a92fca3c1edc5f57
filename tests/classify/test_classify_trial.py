"""What is wished of the classifiers of a run."""

import pytest

from classify.trial import Wishes


@pytest.mark.parametrize(
    ("wishes", "names", "expected"),
    [
        (Wishes(kernel="rbf", unfreeze="2"), ["svm", "dense"], ["--unfreeze"]),
        (Wishes(learning_rate=(1e-3,), mirror=True), ["nearest"], ["--learning-rate", "--augment"]),
        (Wishes(learning_rate=(1e-3,)), ["nearest", "cnn"], []),
        (Wishes(kernel="rbf"), ["sklearn.svm:SVC"], ["--kernel"]),
        (Wishes(), ["centroid"], []),
    ],
)
def test_options_that_no_classifier_of_the_run_has(wishes, names, expected):
    """Those that one of them has, and those that were left as they are, are not among them."""
    assert wishes.without_effect(names) == expected
