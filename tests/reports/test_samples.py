"""The simulated runs of these tests have the fields of real ones."""

from __future__ import annotations

import json
from pathlib import Path

from tests.reports.samples import sample

EARLIER = json.loads(
    (Path(__file__).parents[1] / "data" / "earlier-run" / "run" / "run.json").read_text()
)


def test_a_simulated_run_has_the_fields_of_a_real_one() -> None:
    """Recipe, machine, parameters and searches name what a run wrote, and nothing else."""
    run, _ = sample(["cats", "dogs"], n_per_class=5)
    results = {result["classifier"]: result for result in EARLIER["results"]}
    assert run.recipe.keys() == EARLIER["recipe"].keys()
    assert run.machine.keys() == EARLIER["machine"].keys()
    assert run.versions.keys() <= EARLIER["versions"].keys()
    for result in run.results:
        if result.classifier in results:
            real = results[result.classifier]
            assert result.params.keys() == real["params"].keys()
            assert (result.search is None) == (real["search"] is None)
            assert Path(str(result.model)).suffix == Path(real["model"]).suffix
        if result.classifier == "svm" and result.search:
            assert result.search.chosen.keys() == results["svm"]["search"]["chosen"].keys()
