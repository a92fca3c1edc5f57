"""What is wished of the classifiers of a run."""

import pytest

from classify.experiment.settings import TrainingSettings


@pytest.mark.parametrize(
    ("settings", "names", "expected"),
    [
        (TrainingSettings(kernel="rbf", unfreeze="2"), ["svm", "dense"], ["--unfreeze"]),
        (
            TrainingSettings(learning_rate=(1e-3,), mirror=True),
            ["nearest"],
            ["--learning-rate", "--augment"],
        ),
        (TrainingSettings(learning_rate=(1e-3,)), ["nearest", "cnn"], []),
        (TrainingSettings(kernel="rbf"), ["sklearn.svm:SVC"], ["--kernel"]),
        (TrainingSettings(), ["centroid"], []),
    ],
)
def test_options_that_no_classifier_of_the_run_has(settings, names, expected):
    """Those that one of them has, and those that were left as they are, are not among them."""
    assert settings.without_effect(names) == expected
