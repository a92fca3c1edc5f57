"""Which saved model is used, and where it may lie."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from classify.errors import ModelError
from classify.predict import default_result, predict, undecided
from reports.record import RECORD_NAME, Result, SearchPoint, Threshold
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


def judged(result: Result, *means: float, accuracy: float = 0.5) -> Result:
    """Return a result whose search has points of these means and chose the last."""
    assert result.search is not None
    points = [SearchPoint({"C": float(i)}, mean, 0.0) for i, mean in enumerate(means)]
    chosen = {"C": len(means) - 1.0}
    search = dataclasses.replace(result.search, points=points, chosen=chosen)
    return dataclasses.replace(result, search=search, accuracy=accuracy)


def test_the_best_in_cross_validation_is_the_default() -> None:
    """The test split has no say in it."""
    run, _ = sample(["ant", "bee"], n_per_class=3, classifiers=("logreg", "svm"))
    logreg, svm = run.results
    results = [judged(logreg, 0.9, 0.7, accuracy=1.0), judged(svm, 0.1, 0.8, accuracy=0.9)]
    assert default_result(dataclasses.replace(run, results=results)).classifier == "svm"


def test_where_all_know_their_log_loss_the_least_is_the_default() -> None:
    """It sees how sure the answers are; accuracies over other folds are no match for each other."""
    run, _ = sample(["ant", "bee"], n_per_class=3, classifiers=("logreg", "svm"))
    losses = {"logreg": 0.1, "svm": 0.2}
    results = []
    for result, mean in zip(run.results, (0.7, 0.9), strict=True):
        found = judged(result, mean)
        assert found.search is not None
        points = [dataclasses.replace(p, log_loss=losses[result.classifier])
                  for p in found.search.points]  # fmt: skip
        search = dataclasses.replace(found.search, points=points)
        results.append(dataclasses.replace(found, search=search))
    assert default_result(dataclasses.replace(run, results=results)).classifier == "logreg"


def test_below_the_threshold_an_answer_is_undecided() -> None:
    """On the terminal as in the table; a run without a threshold has no doubts."""
    run, _ = sample(["ant", "bee"], n_per_class=3, classifiers=("logreg",))
    result = dataclasses.replace(run.results[0], threshold=Threshold(0.99, 0.8, 1.0, 0.5, 0.5))
    assert [undecided(result, p) for p in (0.79, 0.8)] == [True, False]
    assert not undecided(run.results[0], 0.1)


def test_a_search_without_points_is_no_crash() -> None:
    """A record edited by hand may have one."""
    run, _ = sample(["ant", "bee"], n_per_class=3, classifiers=("logreg",))
    results = [judged(run.results[0])]
    assert default_result(dataclasses.replace(run, results=results)).classifier == "logreg"


@pytest.mark.parametrize("model", ["../away.skops", "{}/away.skops", "..", "", "/", "a/../b.skops"])
def test_a_model_outside_the_run_is_not_read(tmp_path: Path, model: str) -> None:
    """A record cannot have a file read that lies elsewhere."""
    (tmp_path / "away.skops").write_bytes(b"never opened")
    with pytest.raises(ModelError, match=r"No such file|is not a saved model: expected a name"):
        predict(made(tmp_path, model.format(tmp_path)), [tmp_path])
