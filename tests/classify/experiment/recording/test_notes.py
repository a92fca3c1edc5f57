"""What cannot be done is said before anything is trained."""

from __future__ import annotations

import pytest

from classify.experiment.candidates import candidates_of
from classify.experiment.recording.notes import warnings_before_training
from classify.experiment.settings import RunSettings, TrainingSettings


@pytest.mark.parametrize(
    ("n_train", "names"), [(28, ["svm", "dense"]), (29, ["dense"]), (145, []), (144, ["dense"])]
)
def test_too_few_images_for_a_threshold_are_named(n_train: int, names: list[str]) -> None:
    """29 held-out images can show 90%; a network holds out one in five, the others all."""
    candidates = candidates_of("svm,dense", TrainingSettings())
    found = warnings_before_training(candidates, n_train, RunSettings(target_precision=0.9))
    assert [line.split()[0] for line in found] == names
    assert all("at least 29 held-out training images" in line for line in found)
    assert warnings_before_training(candidates, n_train, RunSettings()) == []


@pytest.mark.parametrize(("n_groups", "names"), [(28, ["svm", "dense"]), (29, ["dense"])])
def test_groups_count_instead_of_their_images(n_groups: int, names: list[str]) -> None:
    """A thousand images of 28 patients show no more than 28 could."""
    candidates = candidates_of("svm,dense", TrainingSettings())
    settings = RunSettings(target_precision=0.9)
    found = warnings_before_training(candidates, 1000, settings, n_groups)
    assert [line.split()[0] for line in found] == names
    assert all("at least 29 held-out groups of training images" in line for line in found)
