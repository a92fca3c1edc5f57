"""The parameters of classifiers that are given by name, and the settings that a run records."""

import argparse
import dataclasses

import pytest
from sklearn.datasets import load_iris

from classify import compare
from classify.cli import _add_evaluation
from classify.errors import ClassifierError
from classify.experiment.settings import WITHOUT_EFFECT, RunSettings, TrainingSettings, recorded
from extract.arguments import add_arguments
from extract.images.loading import ReadSettings
from extract.options import BaseSettings, DataSettings, Options
from reports.pages.comparison import option


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
    settings = TrainingSettings(kernel="linear", learning_rate=(0.1, 0.2))
    assert settings.create("svm").kernel == "linear"
    dense = settings.create("dense")
    assert dense.learning_rate == [0.1, 0.2]


def test_every_setting_is_recorded_and_has_the_name_of_an_option(tmp_path):
    """A new field of the settings is in the record by itself; so a comparison lists it."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    _add_evaluation(parser)
    options = {
        action.option_strings[-1].removeprefix("--").removeprefix("no-")
        for action in parser._actions
    }
    settings = (Options, BaseSettings, ReadSettings, DataSettings, RunSettings)
    fields = [field.name for cls in settings for field in dataclasses.fields(cls)]
    groups = {"base", "reading", "data_settings"}
    assert sorted(name for name in fields if fields.count(name) > 1) == ["seed", "seed"]
    expected = set(fields) - groups - set(WITHOUT_EFFECT)
    run = compare(load_iris(return_X_y=True), None, "centroid", out=tmp_path)
    assert set(run.record.settings) | set(recorded([Options()])) == expected
    assert {option(name) for name in expected} - options - {"memory-limit"} == {"mirrored"}


def test_priors_and_a_threshold_exclude_each_other():
    """The threshold is chosen on images as frequent as in the training split."""
    settings = RunSettings(priors="equal", target_precision=0.9)
    with pytest.raises(ClassifierError, match="leave one of the two out"):
        settings.decision_rule(["a", "b"], [3, 1])
