from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reports.json_summary import summary
from reports.records import Audit, Base, ExtractionSummary, Threshold
from tests.reports.samples import sample

RUN = sample(["cats", "dogs"], n_per_class=20)[0]


def test_all_bases_are_counted():
    """Not only the first, whose embeddings may all have been in the cache."""
    counts = [(1110, 0), (0, 1110)]
    bases = [
        Base(f"b{cached}", RUN.recipe, ExtractionSummary(1110, cached, computed, 0, 1.0))
        for cached, computed in counts
    ]
    found = summary(Path("run"), replace(RUN, bases=bases))
    assert (found["images"], found["cached"], found["computed"]) == (1110, 1110, 1110)
    assert found["bases"]["b0"]["computed"] == 1110


def test_what_was_asked_for_is_there():
    """Repeats, calibration, threshold and audit."""
    threshold = Threshold(0.9, 0.7, 0.95, 0.8, 0.1)
    first = replace(RUN.results[0], repeats=[0.5, 0.6], temperature=1.5, threshold=threshold)
    audit = Audit([], [], [], {}, 1.0, wrong_labels=3, judged_labels=40)
    found = summary(Path("run"), replace(RUN, results=[first], audit=audit))
    (result,) = found["results"]
    assert (result["repeats"], result["temperature"]) == ([0.5, 0.6], 1.5)
    assert result["threshold"]["threshold"] == 0.7
    assert found["audit"] == {
        "leaks": 0, "suspects": 0, "wrong_labels": 3, "copies": 0, "outliers": 0,
        "weak_spots": [], "accuracies_without_leaks": {},
    }  # fmt: skip
