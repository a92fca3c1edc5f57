"""Which of a run's models is used, and which files it may be in."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from classify.errors import ModelError
from classify.serving.model import Model
from classify.serving.prediction import is_undecided
from reports.records import RECORD_NAME, Threshold
from tests.reports.samples import sample

if TYPE_CHECKING:
    from pathlib import Path


def write_run(tmp_path: Path, model: str) -> Path:
    """Write a run whose record names `model`, and return its folder."""
    run, _ = sample(["ant", "bee"], n_per_class=3, classifiers=("logreg",))
    result = dataclasses.replace(run.results[0], model=model)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / RECORD_NAME).write_text(dataclasses.replace(run, results=[result]).to_json())
    return folder


def test_a_prediction_below_the_threshold_is_undecided() -> None:
    """In a run without a threshold none is."""
    run, _ = sample(["ant", "bee"], n_per_class=3, classifiers=("logreg",))
    result = dataclasses.replace(run.results[0], threshold=Threshold(0.99, 0.8, 1.0, 0.5, 0.5))
    assert [is_undecided(result, p) for p in (0.79, 0.8)] == [True, False]
    assert not is_undecided(run.results[0], 0.1)


@pytest.mark.parametrize("model", ["../away.skops", "{}/away.skops", "..", "", "/", "a/../b.skops"])
def test_a_model_outside_the_run_is_not_read(tmp_path: Path, model: str) -> None:
    """A record cannot make the toolkit read a file outside of the run's folder."""
    (tmp_path / "away.skops").write_bytes(b"never opened")
    with pytest.raises(ModelError, match=r"No such file|is not a saved model: expected a name"):
        Model(write_run(tmp_path, model.format(tmp_path)))
