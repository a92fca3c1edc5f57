"""How many planted errors `classify --audit` finds among the photographs.

40 of the lesson's training photographs get the wrong label. 40 others are copied into the test
split: ten each resized, re-encoded, cropped by 5% and mirrored. The seed decides which ones. Errors
that were in the data already count as false alarms if they are found.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.common import inputs
from classify.auditing.findings import find_wrong_data
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset, prepare
from toolkit.csv_cells import write_csv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from extract.datasets.dataset import Dataset
    from reports.records import Audit

N_PLANTED = 40
FIRST = 80
"""Number of suspects that are examined."""


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", metavar="DIR", help="keep the embeddings here")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    measurements = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = BaseSettings(weights=inputs.weights(), cache=args.cache or folder / "cache")
        options = Options(inputs.photographs(folder), base)
        for seed in args.seeds:
            dataset = find_dataset(options)
            measurements.append(measure(dataset, options, folder / str(seed), seed))
            print(f"seed {seed}: {measurements[-1]}", flush=True)
    flips, copies, alarms, seconds = zip(*measurements, strict=True)
    inputs.publish(
        "audit",
        [
            inputs.Row(f"share of {N_PLANTED} flipped labels among the first {FIRST} suspects",
                       flips, promised=">= 0.9"),
            inputs.Row(f"share of {N_PLANTED} near-duplicates found", copies, promised=">= 0.95"),
            inputs.Row("share of the other test images taken for near-duplicates", alarms,
                       promised="<= 0.01"),
            inputs.Row("`classify --audit`, 3,040 images, without what is before it", seconds, "s",
                       "<= 20"),
        ],
    )  # fmt: skip


def measure(
    dataset: Dataset, options: Options, folder: Path, seed: int
) -> tuple[float, float, float, float]:
    """Plant errors and search for them; return both shares found, the false alarms, the seconds."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    train = [item for item in dataset.items if item.split == "train"]
    chosen = [train[i] for i in rng.choice(len(train), 2 * N_PLANTED, replace=False)]
    flipped = {item.path for item in chosen[:N_PLANTED]}
    rows = []
    for item in dataset.items:
        other = next(label for label in dataset.classes if label != item.label)
        label = other if item.path in flipped else item.label
        rows.append([str(item.path), label, str(item.split)])
    for i, item in enumerate(chosen[N_PLANTED:]):
        copy = folder / f"{i:02}-{WAYS[i % len(WAYS)].__name__}.jpg"
        quality = 50 if WAYS[i % len(WAYS)] is re_encoded else 95
        image = WAYS[i % len(WAYS)](cv2.imread(str(item.path)))
        cv2.imwrite(str(copy), image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        rows.append([str(copy), item.label, "test"])
    write_csv(folder / "faulty.csv", ["path", "label", "split"], rows)
    faulty = Options(str(folder / "faulty.csv"), options.base)
    found = find_wrong_data(prepare(find_dataset(faulty), faulty))
    return *shares(found, {str(path) for path in flipped}), found.seconds


def shares(found: Audit, flipped: set[str]) -> tuple[float, float, float]:
    """Return the shares of flipped labels and copies found, and of other test images reported."""
    flips = sum(suspect.path in flipped for suspect in found.suspects[:FIRST])
    copies = [leak for leak in found.leaks if Path(leak.test).name[2] == "-"]
    others = len(found.leaks) - len(copies)
    return flips / N_PLANTED, len(copies) / N_PLANTED, others / 1000


def resized(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image at 60% of its width and height."""
    small: NDArray[np.uint8] = cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    return small


def re_encoded(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image itself; it is saved at a lower quality."""
    return image


def cropped(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image without 5% of its width and height, half of it at each edge."""
    height, width = image.shape[:2]
    top, left = round(0.025 * height), round(0.025 * width)
    return image[top : height - top, left : width - left]


def mirrored(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mirror image."""
    return image[:, ::-1]


WAYS = (resized, re_encoded, cropped, mirrored)


if __name__ == "__main__":
    main()
