"""What cannot be done is said before anything is trained."""

from __future__ import annotations

import pytest

from classify.experiment.candidates import candidates_of
from classify.experiment.notes import warnings_before_training
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
