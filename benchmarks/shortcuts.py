"""How often an audit finds shortcuts and weak spots planted among the photographs, and others.

For every seed, 2,000 of the lesson's 3,000 photographs are drawn for training and the others for
the test. Of one class, the photographs are saved again at quality 60, lose a border of 5% on every
side, or become 10% darker; for the last two, all are saved again at the same quality, which would
give the class away too. A column `site` with five values says nothing of the photographs; planted,
half of what a logistic regression predicts at one of them is wrong.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.common import inputs
from cache.store import Store
from classify import LogReg
from classify.auditing.image_properties import ImageProperty, properties_of
from classify.auditing.property_audit import MOST_HEADERS
from classify.auditing.shortcuts import drawn_for_shortcuts, find_shortcuts
from classify.auditing.weak_spots import Slice, clusters_of, find_weak_spots, slices_of
from extract.images.collecting import collect_header_properties, collect_properties
from extract.images.decoders.pool import DecoderPool
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset, prepare
from extract.stored import read_pooled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from extract.datasets.dataset import Item
    from extract.images.properties.record import ImageProperties
    from extract.prepare import Prepared

N_TRAIN, N_SITES = 2000, 5
QUALITY = 95
LINE = "the line of every report, 3,000 pictures"
UNTOUCHED, SAVED_AGAIN = "untouched", "saved again"


def at_quality_60(image: NDArray[np.uint8]) -> bytes:
    """Return a photograph saved at quality 60."""
    return saved_again(image, 60)


def cropped(image: NDArray[np.uint8]) -> bytes:
    """Return a photograph without 5% of its width and height at every edge."""
    height, width = image.shape[:2]
    top, left = round(0.05 * height), round(0.05 * width)
    return saved_again(image[top : height - top, left : width - left])


def darkened(image: NDArray[np.uint8]) -> bytes:
    """Return a photograph that is 10% darker."""
    return saved_again(cv2.convertScaleAbs(image, alpha=0.9))


def saved_again(image: NDArray[np.uint8], quality: int = QUALITY) -> bytes:
    """Return a photograph as it is, saved again."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)


WAYS = {"at quality 60": at_quality_60, "cropped": cropped, "darkened": darkened}
EXPECTED = {
    "at quality 60": {"JPEG quality"},
    "cropped": {"width", "height", "width and height"},
    "darkened": {"brightness", "brightest tone"},
}
"""What must be among the properties that are found."""


@dataclass
class Photographs:
    """The photographs, their embeddings, and what is known of each in every state."""

    prepared: Prepared
    embeddings: NDArray[np.float32]
    known: dict[str, list[ImageProperties | None]]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def items(self) -> tuple[Item, ...]:
        """The photographs, of both splits."""
        return self.prepared.dataset.items


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", metavar="DIR", help="keep the embeddings here")
    parser.add_argument("--seeds", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = BaseSettings(weights=inputs.weights(), cache=args.cache or folder / "cache")
        options = Options(inputs.photographs(folder), base)
        photographs = measured(prepare(find_dataset(options), options), folder)
        rounds = [one_round(photographs, seed) for seed in range(args.seeds)]
    for key in rounds[0].names:
        counts = Counter(name for each in rounds for name in set(each.names[key]))
        print(f"{key}: {counts.most_common(8)}")
    found = {key: [float(each.found[key]) for each in rounds] for key in rounds[0].found}
    rows = [
        inputs.Row(f"seeds in which {what}, of {args.seeds}", [sum(found[key])], "", promise)
        for key, what, promise in FIGURES
    ]
    weak = [name for each in rounds for name in each.names["weak spots"]]
    lasting = [name for each in rounds for name in each.names["lasting weak spots"]]
    if weak:
        rows.append(
            inputs.Row("share of the weak spots that are weak among other pictures, too",
                       [len(lasting) / len(weak)])
        )  # fmt: skip
    rows += [
        inputs.Row(what, [seconds], "s", "<= 2" if what == LINE else "")
        for what, seconds in photographs.seconds.items()
    ]
    rows.append(inputs.Row("looking for shortcuts in 2,000 pictures and for weak spots in 1,000",
                           [each.seconds for each in rounds], "s"))  # fmt: skip
    inputs.publish("shortcuts", rows)


FIGURES = [
    *((way, f"one class {way} is found", ">= 20") for way in WAYS),
    ("site", "a site with half of the accuracy is found", ">= 20"),
    ("nothing", "nothing predicts the label of the photographs as they are", ">= 19"),
    ("no site", "no site is found where all are alike", ">= 19"),
]


def measured(prepared: Prepared, folder: Path) -> Photographs:
    """Measure the photographs as they are, and in every way in which they are changed."""
    items, store = prepared.dataset.items, Store(folder / "measured")
    digests = {item.path: prepared.extraction.digests[item.path] for item in items}
    seconds = {}
    started = time.monotonic()
    drawn = drawn_for_shortcuts(prepared.dataset, digests, MOST_HEADERS)
    headers = collect_header_properties({item.path: digests[item.path] for item in drawn}, store)
    find_shortcuts(prepared.dataset, drawn, [headers[digests[item.path]] for item in drawn])
    seconds[LINE] = time.monotonic() - started
    started = time.monotonic()
    found = collect_properties(digests, store)
    seconds["measuring 3,000 pictures"] = time.monotonic() - started
    known: dict[str, list[ImageProperties | None]] = {
        UNTOUCHED: [found[digests[item.path]] for item in items]
    }
    with DecoderPool(1) as decoders:
        for name, way in {SAVED_AGAIN: saved_again, **WAYS}.items():
            known[name] = [
                decoders.properties(way(cv2.imread(str(item.path)))).properties for item in items
            ]
    return Photographs(prepared, read_pooled(prepared.base, list(digests.values())), known, seconds)


@dataclass
class Round:
    """What was found with one seed: whether it is right, and the names."""

    found: dict[str, bool]
    names: dict[str, list[str]]
    seconds: float


def one_round(photographs: Photographs, seed: int) -> Round:
    """Draw a split, plant, and look."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(photographs.items))
    train, test = np.sort(order[:N_TRAIN]), np.sort(order[N_TRAIN:])
    started = time.monotonic()
    names = {UNTOUCHED: shortcuts(photographs, train, UNTOUCHED, UNTOUCHED, seed)}
    spots = weak_spots(photographs, train, test, rng)
    seconds = time.monotonic() - started
    for way in WAYS:
        others = UNTOUCHED if way == "at quality 60" else SAVED_AGAIN
        names[way] = shortcuts(photographs, train, way, others, seed)
    found = {way: bool(expected.intersection(names[way])) for way, expected in EXPECTED.items()}
    found["nothing"] = not names[UNTOUCHED]
    found["site"] = spots["planted"] == ["site: A"]
    found["no site"] = not any(name.startswith("site: ") for name in spots["weak spots"])
    return Round(found, names | spots, seconds)


def shortcuts(
    photographs: Photographs, rows: NDArray[np.intp], way: str, others: str, seed: int
) -> list[str]:
    """Return the properties that are found if one class is changed in a way."""
    changed = photographs.prepared.dataset.classes[seed % 2]
    items = [photographs.items[i] for i in rows]
    known = [
        photographs.known[way if item.label == changed else others][i]
        for i, item in zip(rows, items, strict=True)
    ]
    found = find_shortcuts(photographs.prepared.dataset, items, known, seed=seed)
    return [each.property for each in found if each.found]


def weak_spots(
    photographs: Photographs,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    rng: np.random.Generator,
) -> dict[str, list[str]]:
    """Return the weak spots of a logistic regression, and those with a planted site."""
    labels = np.array([item.label for item in photographs.items])
    model = LogReg().fit(photographs.embeddings[train], labels[train])
    correct = model.predict(photographs.embeddings[test]) == labels[test]
    held_out = model.classes_[model.held_out_proba_.argmax(axis=1)] == labels[train]
    sites = rng.choice(list("ABCDE")[:N_SITES], len(labels))
    known = photographs.known[UNTOUCHED]
    properties = properties_of(photographs.prepared.dataset, photographs.items, known)
    slices = slices_of([*properties, ImageProperty("site", "column", [str(s) for s in sites])])
    slices += clusters_of(photographs.embeddings[train], photographs.embeddings)
    found = names_of(slices, correct, test)
    planted = correct.copy()
    at_a = np.flatnonzero(sites[test] == "A")
    planted[rng.permutation(at_a)[: len(at_a) // 2]] = False
    return {
        "weak spots": found,
        "lasting weak spots": [
            f"{each.name}: {each.value}"
            for each in slices
            if f"{each.name}: {each.value}" in found
            and held_out[each.rows[train]].mean() < held_out[~each.rows[train]].mean()
        ],
        "planted": [name for name in names_of(slices, planted, test) if name.startswith("site")],
    }


def names_of(
    slices: Sequence[Slice], correct: NDArray[np.bool_], test: NDArray[np.intp]
) -> list[str]:
    """Return the weak spots that are found among the test images."""
    of_tests = [Slice(each.kind, each.name, each.value, each.rows[test]) for each in slices]
    spots = find_weak_spots(of_tests, correct, [str(i) for i in test])
    return [f"{spot.name}: {spot.value}" for spot in spots if spot.found]


if __name__ == "__main__":
    main()
