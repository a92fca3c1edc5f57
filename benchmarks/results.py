"""README's table of results: every classifier on the photographs, also with `--preset best`.

Everything that is chosen is chosen on the training split; the test split gives each figure, once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import inputs
from reports.wording.baselines import LESSON_ACCURACIES

PROMISED = {"dense": ">= 0.960", "logreg": ">= 0.970", "svm": ">= 0.970"}
PROMISED_OF_BEST = {"logreg": ">= 0.985", "svm": ">= 0.985"}
FROZEN = "dense,logreg,svm"


def main() -> None:
    """Run the commands, print README's table of results in Markdown, and publish."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = inputs.photographs(folder)
        common = ("--data", data, "--weights", inputs.weights(), "--cache", str(folder / "cache"))
        default = classify(folder / "default", "all", *common)
        notebook = classify(folder / "lesson", FROZEN, *common, "--preset", "lesson")
        best = classify(folder / "best", FROZEN, *common, "--preset", "best")
        tuned = classify(folder / "tuned", "finetune", *common)
    print_table(default, notebook, best, tuned)
    inputs.publish(
        "results",
        [
            *rows(default, "at defaults", PROMISED),
            *rows(tuned, "at defaults", {}),
            *rows(best, "`--preset best`", PROMISED_OF_BEST),
        ],
    )


def classify(out: Path, names: str, *arguments: str) -> dict[str, Any]:
    """Run `python -m classify` and return its record."""
    command = [sys.executable, "-m", "classify", "--clf", names, "--out", str(out), *arguments]
    subprocess.run(command, check=True)
    record: dict[str, Any] = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return record


def print_table(
    default: dict[str, Any], notebook: dict[str, Any], best: dict[str, Any], tuned: dict[str, Any]
) -> None:
    """Print a line for each classifier, and how long extraction and fitting took."""
    sizes = default["data"]["train_counts"], default["data"]["test_counts"]
    print(f"\n{sum(sizes[0]):,} training and {sum(sizes[1]):,} test images,", end=" ")
    print(f"{default['machine']['processor']}, {default['machine']['cores']} cores\n")
    print(
        "| classifier | test accuracy | 95% interval | `best` | notebook preprocessing | lesson |"
    )
    print("|---|---|---|---|---|---|")
    others = [accuracies(best), accuracies(notebook)]
    for result in [*default["results"], *tuned["results"]]:
        kind = result["classifier"]
        cells = [
            f"`{kind}`: {result['title']}",
            f"**{result['accuracy']:.3f}**",
            f"{result['accuracy_low']:.3f} to {result['accuracy_high']:.3f}",
            *(f"{other[kind]:.3f}" if kind in other else "-" for other in others),
            f"{LESSON_ACCURACIES[kind]:.3f}" if kind in LESSON_ACCURACIES else "-",
        ]
        print(f"| {' | '.join(cells)} |")
    for words, run in (("at defaults", default), ("best", best), ("finetune", tuned)):
        seconds = sum(base["extraction"]["seconds"] for base in run["bases"] or [run])
        print(f"\n{words}: extraction {seconds:.0f} s; fitting:", end=" ")
        print(", ".join(f"{r['classifier']} {r['fit_seconds']:.1f} s" for r in run["results"]))


def accuracies(run: dict[str, Any]) -> dict[str, float]:
    """Return the test accuracy of every classifier of a run."""
    return {result["classifier"]: result["accuracy"] for result in run["results"]}


def rows(run: dict[str, Any], words: str, promised: dict[str, str]) -> list[inputs.Row]:
    """Return a row for every classifier of a run."""
    return [
        inputs.Row(f"test accuracy of `{kind}`, {words}", [value], promised=promised.get(kind, ""))
        for kind, value in accuracies(run).items()
    ]


if __name__ == "__main__":
    main()
