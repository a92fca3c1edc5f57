"""Which saved model is used, and where it may lie."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from classify.errors import ModelError
from classify.predict import predict, undecided
from reports.record import RECORD_NAME, Threshold
from tests.reports.samples import sample

if TYPE_CHECKING:
    from pathlib import Path


def made(tmp_path: Path, model: str) -> Path:
    """Write a run whose record names `model`, and return its folder."""
    run, _ = sample(["ant", "bee"], n_per_class=3, classifiers=("logreg",))
    result = dataclasses.replace(run.results[0], model=model)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / RECORD_NAME).write_text(dataclasses.replace(run, results=[result]).to_json())
    return folder


def test_below_the_threshold_an_answer_is_undecided() -> None:
    """On the terminal as in the table; a run without a threshold has no doubts."""
    run, _ = sample(["ant", "bee"], n_per_class=3, classifiers=("logreg",))
    result = dataclasses.replace(run.results[0], threshold=Threshold(0.99, 0.8, 1.0, 0.5, 0.5))
    assert [undecided(result, p) for p in (0.79, 0.8)] == [True, False]
    assert not undecided(run.results[0], 0.1)


@pytest.mark.parametrize("model", ["../away.skops", "{}/away.skops", "..", "", "/", "a/../b.skops"])
def test_a_model_outside_the_run_is_not_read(tmp_path: Path, model: str) -> None:
    """A record cannot have a file read that lies elsewhere."""
    (tmp_path / "away.skops").write_bytes(b"never opened")
    with pytest.raises(ModelError, match=r"No such file|is not a saved model: expected a name"):
        predict(made(tmp_path, model.format(tmp_path)), [tmp_path])
