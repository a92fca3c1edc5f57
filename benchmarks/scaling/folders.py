"""Peak memory of `classify.predict` on 100,000 images compared with 1,000: table and folders.

The images are hard links to the drawn shapes, so that a round takes minutes and no disk, and their
embeddings are in the cache. What can grow with the number of images is the same as for others:
paths, rows of the table, and what the undo file says.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import commands, inputs
from extract.datasets.sources.shapes import draw_dataset

FEW = 1000
MODULE = "classify.predict"


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = train(folder)
        images = sorted((folder / "shapes").rglob("*.jpg"))
        few, many = (links(images, folder / str(n), n) for n in (FEW, args.images))
        peaks = [(peak(few, options), peak(many, options)) for _ in range(args.rounds)]
    what = "peak memory of `predict --csv --sort-into`"
    inputs.publish(
        "folders",
        [
            inputs.Row(
                f"{what}, {args.images:,} / {FEW:,} images",
                [of_many / of_few for of_few, of_many in peaks],
                promised="<= 1.25",
            ),
            inputs.Row(f"{what}, {args.images:,} images", [of_many for _, of_many in peaks], "MiB"),
        ],
    )


def train(folder: Path) -> list[str]:
    """Train a classifier on the drawn shapes; return the arguments that name it."""
    data, run = draw_dataset(folder / "shapes"), folder / "run"
    base = ["--weights", inputs.weights(), "--cache", str(folder / "cache")]
    commands.run(
        *("classify", "--data", str(data), "--clf", "centroid", "--out", str(run)),
        *("--size", "32", "--pool", "avg", *base),
    )
    return [str(run), *base]


def links(images: list[Path], folder: Path, number: int) -> Path:
    """Make a folder with many names of few images; return it."""
    for i, image in enumerate(itertools.islice(itertools.cycle(images), number)):
        name = folder / f"{i // 1000}" / f"{i}.jpg"
        name.parent.mkdir(parents=True, exist_ok=True)
        os.link(image, name)
    return folder


def peak(images: Path, options: list[str]) -> float:
    """Return the peak resident memory in MiB of a command that sorts images, and undo it."""
    target, table = images.with_name("sorted"), images.with_name("answers.csv")
    command = [sys.executable, "-m", MODULE, *options, str(images), "--quiet"]
    process = subprocess.Popen(
        [*command, "--csv", str(table), "--sort-into", str(target)], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    subprocess.run([sys.executable, "-m", MODULE, "--undo", str(target), "--quiet"], check=True)
    table.unlink()
    memory = usage.ru_maxrss / 2**10
    print(f"{images.name} images: {memory:.0f} MiB", flush=True)
    return memory


if __name__ == "__main__":
    main()
