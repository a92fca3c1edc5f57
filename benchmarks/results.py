"""README's table of results: every classifier on the photographs, both preprocessings.

Everything that is chosen is chosen on the training split; each figure is the test split's, once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import inputs

LESSON = {"cnn": "0.685", "dense": "0.895"}


def main() -> None:
    """Run the commands and print the table in Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = inputs.photographs(folder)
        common = ("--data", data, "--weights", inputs.weights(), "--cache", str(folder / "cache"))
        auto = classify(folder / "auto", "all", *common)
        notebook = classify(
            folder / "notebook", "dense,logreg,svm", *common, "--preprocess", "notebook"
        )
        sizes = auto["data"]["train_counts"], auto["data"]["test_counts"]
        print(f"\n{sum(sizes[0]):,} training and {sum(sizes[1]):,} test images,", end=" ")
        print(f"{auto['machine']['processor']}, {auto['machine']['cores']} cores\n")
        print("| classifier | test accuracy | 95% interval | notebook preprocessing | the lesson |")
        print("|---|---|---|---|---|")
        lessons = {result["classifier"]: result for result in notebook["results"]}
        for result in auto["results"]:
            kind = result["classifier"]
            other = lessons.get(kind)
            print(
                f"| `{kind}`: {result['title']} | **{result['accuracy']:.3f}** "
                f"| {result['accuracy_low']:.3f} to {result['accuracy_high']:.3f} "
                f"| {format(other['accuracy'], '.3f') if other else '-'} "
                f"| {LESSON.get(kind, '-')} |"
            )
        print(f"\ncold extraction: {auto['extraction']['seconds']:.0f} s; fitting:", end=" ")
        print(", ".join(f"{r['classifier']} {r['fit_seconds']:.1f} s" for r in auto["results"]))


def classify(out: Path, names: str, *arguments: str) -> dict:
    """Run `python -m classify` and return its record."""
    command = [sys.executable, "-m", "classify", "--clf", names, "--out", str(out), *arguments]
    subprocess.run(command, check=True)
    return json.loads((out / "run.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
