"""Which edited copies of photographs are proven, what is claimed of others, and how long it takes.

For each seed, 150 of the lesson's training photographs are drawn. Each is edited in sixteen ways.
For each way, the copies are searched for among all 3,000 photographs and the 150 copies. A copy is
proven if it is paired with its own photograph; any pair of different photographs is a false claim.
Those that are copies of each other, judged by eye, are in `SAME_PHOTOGRAPH`.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.common import inputs
from classify.auditing.copies.reading import FeatureReader
from classify.auditing.copies.search import find_copies
from extract.datasets.sources.shapes import draw_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from classify.auditing.copies.local_features import LocalFeatures

    Image = NDArray[np.uint8]
    Edit = Callable[[Image], Image]

EDITED = "edited"
"""Name of the folder of the copies."""
N_COPIES = 150
"""Photographs that are edited for each seed."""
N_DRAWN = 2000
"""Shapes that are drawn."""
SIZES = (1000, 2000, 3000)
"""Numbers of photographs that are searched to see how the time grows."""
SAME_PHOTOGRAPH = {("dog.180.jpg", "dog.74.jpg")}
"""Pairs of the lesson's photographs that are copies of each other."""


def turned(degrees: float) -> Edit:
    """Return what turns an image around its middle; corners are cut off and filled with black."""

    def edit(image: Image) -> Image:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
        return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC)

    return edit


def cropped(share: float) -> Edit:
    """Return what takes a share of width and height away, half of it at each edge."""

    def edit(image: Image) -> Image:
        height, width = image.shape[:2]
        top, left = round(height * share / 2), round(width * share / 2)
        return image[top : height - top, left : width - left]

    return edit


def mirrored(image: Image) -> Image:
    """Return the mirror image."""
    return image[:, ::-1]


def unchanged(image: Image) -> Image:
    """Return the image itself, which is saved at JPEG quality 10."""
    return image


def darkened(image: Image) -> Image:
    """Return the image half as bright."""
    return image // 2


def grey(image: Image) -> Image:
    """Return the image without colour."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def blurred(image: Image) -> Image:
    """Return the image out of focus: a Gaussian with 1/150 of the longer side."""
    return cv2.GaussianBlur(image, (0, 0), max(image.shape[:2]) / 150)


def written_on(image: Image) -> Image:
    """Return the image with three lines of white text across it."""
    image = image.copy()
    height, width = image.shape[:2]
    for line in (1, 2, 3):
        where, font = (width // 20, height * line // 4), cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(
            image, "SAMPLE PICTURE", where, font, width / 300, (255,) * 3, max(2, width // 100)
        )
    return image


def shrunk(image: Image) -> Image:
    """Return the image with 64 pixels at its longer side."""
    share = 64 / max(image.shape[:2])
    return cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)


def bordered(image: Image) -> Image:
    """Return the image in a white frame, of a tenth of its longer side."""
    width = round(max(image.shape[:2]) / 10)
    return cv2.copyMakeBorder(
        image, width, width, width, width, cv2.BORDER_CONSTANT, value=(255,) * 3
    )


def squashed(image: Image) -> Image:
    """Return the image at 70% of its width."""
    return cv2.resize(image, None, fx=0.7, fy=1, interpolation=cv2.INTER_AREA)


EDITS: dict[str, Edit] = {
    "turned by 10°": turned(10),
    "turned by 25°": turned(25),
    "turned by 90°": lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    "turned by 180°": lambda image: cv2.rotate(image, cv2.ROTATE_180),
    "cropped by 10%": cropped(0.1),
    "cropped by 20%": cropped(0.2),
    "cropped by 40%": cropped(0.4),
    "mirrored": mirrored,
    "darkened": darkened,
    "grey": grey,
    "blurred": blurred,
    "JPEG quality 10": unchanged,
    "text over it": written_on,
    "shrunk to 64 pixels": shrunk,
    "white border": bordered,
    "squashed": squashed,
}


class Remembering(FeatureReader):
    """A reader that examines each photograph once, in however many searches it takes part.

    Parameters
    ----------
    paths : sequence of Path
        Photographs, and copies that are not remembered.
    examined : dict from Path to LocalFeatures
        What other readers have examined, to which this one adds.
    """

    def __init__(self, paths: Sequence[Path], examined: dict[Path, LocalFeatures]) -> None:
        super().__init__(paths)
        self._examined = examined

    def features(self, position: int) -> LocalFeatures:
        """Return the features of the picture at a position."""
        path = self.paths[position]
        if path in self._examined:
            return self._examined[path]
        features = super().features(position)
        if path.parent.name != EDITED:
            self._examined[path] = features
        return features


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photographs = sorted(Path(inputs.photographs(folder)).rglob("*.jpg"))
        seconds, of_cores = zip(*(timed(photographs, n) for n in SIZES), strict=True)
        examined: dict[Path, LocalFeatures] = {}
        true, false = claims(Remembering(photographs, examined))
        false_of_drawn = claims(FeatureReader(drawn(folder)))[1]
        shares = [proven(photographs, examined, folder, seed) for seed in args.seeds]
    inputs.publish(
        "duplicates",
        [
            *(
                inputs.Row(
                    f"share of {N_COPIES} copies proven, {edit}",
                    [of_seed[edit] for of_seed in shares],
                    promised=">= 0.85",
                )
                for edit in EDITS
            ),
            inputs.Row(
                "share of copies proven, mean over the edits",
                [statistics.fmean(of_seed.values()) for of_seed in shares],
                promised=">= 0.95",
            ),
            inputs.Row(
                "photographs wrongly called copies, of 1,000",
                [2000 * false / len(photographs)],
                promised="<= 1",
            ),
            inputs.Row(
                "drawn shapes wrongly called copies, of 1,000",
                [2000 * false_of_drawn / N_DRAWN],
                promised="<= 1",
            ),
            inputs.Row("pairs of photographs that are copies indeed", [true]),
            inputs.Row("search for copies, 3,000 photographs", [seconds[-1]], "s", "<= 60"),
            inputs.Row("the same, time of all cores", [of_cores[-1]], "s"),
            *(
                inputs.Row(
                    f"time of all cores per photograph, {n:,} / {SIZES[0]:,} photographs",
                    [of_cores[i] / n / (of_cores[0] / SIZES[0])],
                    promised="<= 1.2",
                )
                for i, n in enumerate(SIZES[1:], 1)
            ),
        ],
    )


def timed(photographs: Sequence[Path], number: int) -> tuple[float, float]:
    """Return the seconds, and those of all cores, that a search among some photographs takes."""
    chosen = np.random.default_rng(0).permutation(len(photographs))[:number]
    started, cpu_started = time.monotonic(), cpu_seconds()
    with FeatureReader([photographs[i] for i in chosen]) as reader:
        find_copies(reader)
    taken = time.monotonic() - started, cpu_seconds() - cpu_started
    print(f"{number} photographs: {taken[0]:.1f} s, {taken[1]:.1f} s of all cores", flush=True)
    return taken


def cpu_seconds() -> float:
    """Return the time of all cores that this process and those it has ended have taken."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def drawn(folder: Path) -> list[Path]:
    """Draw shapes, no two alike, of which many have the same corners."""
    paths = [folder / "drawn" / f"{i}.jpg" for i in range(N_DRAWN)]
    paths[0].parent.mkdir()
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), np.ascontiguousarray(draw_image("train", i)[:, :, ::-1]))
    return paths


def claims(photographs: FeatureReader) -> tuple[int, int]:
    """Return how many pairs of photographs are rightly and wrongly said to be copies."""
    with photographs as reader:
        pairs = find_copies(reader)
    named = [
        tuple(sorted((reader.paths[pair.first].name, reader.paths[pair.second].name)))
        for pair in pairs
    ]
    for names, pair in zip(named, pairs, strict=True):
        points, agreement = len(pair.alignment.points), pair.alignment.agreement
        print(f"claimed: {' and '.join(names)}, {points} points, agreement {agreement:.2f}")
    true = sum(names in SAME_PHOTOGRAPH for names in named)
    return true, len(named) - true


def proven(
    photographs: Sequence[Path], examined: dict[Path, LocalFeatures], folder: Path, seed: int
) -> dict[str, float]:
    """Return for each edit the share of copies that are paired with their photograph."""
    training = [i for i, path in enumerate(photographs) if "train" in path.parent.name]
    chosen = np.random.default_rng(seed).choice(training, N_COPIES, replace=False).tolist()
    (folder / EDITED).mkdir(exist_ok=True)
    copies = [folder / EDITED / f"{i}.jpg" for i in range(N_COPIES)]
    shares = {}
    for name, edit in EDITS.items():
        quality = 10 if edit is unchanged else 95
        for i, copy in zip(chosen, copies, strict=True):
            image = np.ascontiguousarray(edit(cv2.imread(str(photographs[i]))))
            cv2.imwrite(str(copy), image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        with Remembering([*photographs, *copies], examined) as reader:
            pairs = {(pair.first, pair.second) for pair in find_copies(reader)}
        expected = {(i, len(photographs) + k) for k, i in enumerate(chosen)}
        shares[name] = len(pairs & expected) / N_COPIES
        print(f"seed {seed}, {name}: {shares[name]:.3f}", flush=True)
    return shares


if __name__ == "__main__":
    main()
