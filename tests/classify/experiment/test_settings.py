"""The parameters of classifiers that are given by name."""

import pytest

from classify.experiment.settings import TrainingSettings


@pytest.mark.parametrize(
    ("settings", "names", "expected"),
    [
        (TrainingSettings(kernel="rbf", unfreeze="2"), ["svm", "dense"], ["unfreeze"]),
        (
            TrainingSettings(learning_rate=(1e-3,), mirror=True),
            ["nearest"],
            ["learning_rate", "augment"],
        ),
        (TrainingSettings(learning_rate=(1e-3,)), ["nearest", "cnn"], []),
        (TrainingSettings(kernel="rbf"), ["sklearn.svm:SVC"], ["kernel"]),
        (TrainingSettings(), ["centroid"], []),
    ],
)
def test_settings_that_no_classifier_of_the_run_has(settings, names, expected):
    """Those that one of them has, and those that were left as they are, are not among them."""
    assert settings.without_effect(names) == expected


def test_a_classifier_gets_the_settings_that_it_has():
    """And no others."""
    settings = TrainingSettings(kernel="linear", class_weight=None, learning_rate=(0.1, 0.2))
    assert settings.create("svm").kernel == "linear"
    dense = settings.create("dense")
    assert (dense.class_weight, dense.learning_rate) == (None, [0.1, 0.2])
