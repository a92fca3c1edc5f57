"""Where every second of a cold `extract --preset fast` and `classify --clf logreg,svm` goes.

The share of each phase in both commands together, from the start of the first process to the end of
the second. The phases that are short are published as one.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.common import commands, inputs
from extract.engines import FORWARD_PASSES
from toolkit.phases import phase_table

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS = 3
SHORT = 0.01
LONGEST = "<= 0.1"
WHOLE = "cold `extract --preset fast` and `classify --clf logreg,svm`"


def main() -> None:
    """Measure and publish."""
    rounds, walls = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = inputs.photographs(folder)
        for i in range(ROUNDS):
            phases, wall = cold_start(data, folder / f"cache-{i}")
            print(f"round {i + 1}: {wall:.1f} s\n{phase_table(phases)}\n", flush=True)
            rounds.append(phases)
            walls.append(wall)
    inputs.publish("phases", rows_of(rounds, walls))


def cold_start(data: str, cache: Path) -> tuple[dict[str, float], float]:
    """Return the seconds of each phase of both commands, and their wall-clock time."""
    common = (
        *("--data", data, "--weights", inputs.weights(), "--cache", str(cache)),
        *("--preset", "fast"),
    )
    extracted = commands.run("extract", *common)
    classified = commands.run("classify", "--clf", "logreg,svm", *common)
    assert not extracted.summary["cached"]
    assert not classified.summary["computed"]
    phases = Counter(extracted.summary["phases"])
    phases.update(classified.summary["phases"])
    return dict(phases), extracted.seconds + classified.seconds


def rows_of(rounds: Sequence[dict[str, float]], walls: Sequence[float]) -> list[inputs.Row]:
    """Return the share of each phase, the longest first, and what they add up to."""
    shares = {
        name: [phases.get(name, 0.0) / sum(phases.values()) for phases in rounds]
        for name in dict.fromkeys(name for phases in rounds for name in phases)
    }
    names = sorted(shares, key=lambda name: -median(shares[name]))
    long = [name for name in names if median(shares[name]) >= SHORT]
    short = [name for name in names if name not in long]
    rows = [
        inputs.Row(
            f"share of {name} in {WHOLE}",
            shares[name],
            promised="" if name == FORWARD_PASSES else LONGEST,
        )
        for name in long
    ]
    together = [sum(values) for values in zip(*(shares[name] for name in short), strict=True)]
    if short:
        rows.append(
            inputs.Row(f"share of {len(short)} phases of under {SHORT:.0%} together", together)
        )
    counted = [sum(phases.values()) / wall for phases, wall in zip(rounds, walls, strict=True)]
    return [
        *rows,
        inputs.Row("sum of the phases / wall-clock time", counted, promised=">= 0.98"),
        inputs.Row(WHOLE, walls, "s"),
    ]


if __name__ == "__main__":
    main()
