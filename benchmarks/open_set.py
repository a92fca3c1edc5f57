"""How well familiar images are told from others, by `--reject` and by methods of the literature.

Photographs of cats and dogs against drawn shapes, noise, pages of text and flat colours; and five
of the six drawn shapes against the sixth. A part of the training images is drawn for every seed.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.common import inputs
from benchmarks.common.open_set_images import UNFAMILIAR, write_images
from benchmarks.common.open_set_methods import METHODS
from classify.evaluation.unfamiliar.familiarity import Familiarity
from extract import Embedder, load_dataset
from extract.stored import pool_embeddings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from benchmarks.common.open_set_methods import Method
    from extract.datasets.dataset import Dataset

    Embed = Callable[[Sequence[Path]], NDArray[np.float32]]

SHARE = 0.05
DRAWN = 0.8
"""Share of the training images that is drawn for a seed."""


class Task(NamedTuple):
    """Familiar images to train and to test on, and unfamiliar ones."""

    name: str
    train: NDArray[np.float32]
    labels: NDArray[np.int64]
    test: NDArray[np.float32]
    unfamiliar: NDArray[np.float32]


class Measured(NamedTuple):
    """Area under the ROC curve, and share of unfamiliar images accepted where 5% are refused."""

    area: float
    accepted: float


def main() -> None:
    """Measure, print a table of all methods in Markdown, and publish the figures of our own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", metavar="DIR", help="keep the embeddings here")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        embedder = Embedder(weights=inputs.weights(), cache=args.cache or folder / "cache")
        tasks = list(find_tasks(embedder, folder, args.seeds))
    names = list(dict.fromkeys(task.name for task in tasks))
    print(f"| method | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for method_name, method in METHODS.items():
        found = [(task.name, measure(method, task)) for task in tasks]
        cells = [_cell([one for name, one in found if name == of]) for of in names]
        print(f"| {method_name} | {' | '.join(cells)} |", flush=True)
    publish(tasks, names)


def find_tasks(embedder: Embedder, folder: Path, seeds: Sequence[int]) -> list[Task]:
    """Embed all images, and return the tasks of every seed."""

    def embed(paths: Sequence[Path]) -> NDArray[np.float32]:
        rows = embedder.transform(list(paths))
        return pool_embeddings(rows.reshape(len(rows), -1, N_CHANNELS))

    photographs = load_dataset(inputs.photographs(folder))
    shapes = load_dataset("shapes", cache=embedder.cache)
    unfamiliar = {"drawn shapes": embed(shapes.test.paths)}
    for name, draw in UNFAMILIAR.items():
        unfamiliar[name] = embed(write_images(folder / name, draw))
    train, codes = embed(photographs.train.paths), _codes(photographs)
    test = embed(photographs.test.paths)
    shape_rows = (embed(shapes.train.paths), embed(shapes.test.paths))
    shape_codes = (_codes(shapes), _codes(shapes, "test"))
    tasks = []
    for seed in seeds:
        rows = _draw(len(train), seed)
        tasks += [
            Task(f"photographs, {name}", train[rows], codes[rows], test, rows_of)
            for name, rows_of in unfamiliar.items()
        ]
        for left_out in np.unique(shape_codes[0]):
            known = [code != left_out for code in shape_codes]
            own = np.flatnonzero(known[0])[_draw(int(known[0].sum()), seed)]
            others = np.concatenate(
                [of_split[~is_known] for of_split, is_known in zip(shape_rows, known, strict=True)]
            )
            task = Task(
                "five shapes, the sixth",
                shape_rows[0][own],
                shape_codes[0][own],
                shape_rows[1][known[1]],
                others,
            )
            tasks.append(task)
    return tasks


def measure(method: Method, task: Task) -> Measured:
    """Fit a method, and tell the images of a task apart."""
    _, codes = np.unique(task.labels, return_inverse=True)
    score = method(task.train, codes)
    familiar, unfamiliar = score(task.test), score(task.unfamiliar)
    is_familiar = np.repeat([1, 0], [len(familiar), len(unfamiliar)])
    area = roc_auc_score(is_familiar, np.concatenate([familiar, unfamiliar]))
    threshold = np.quantile(familiar, SHARE)
    return Measured(float(area), float((unfamiliar > threshold).mean()))


def publish(tasks: Sequence[Task], names: Sequence[str]) -> None:
    """Publish the figures of `Familiarity`, with the threshold from the training images."""
    rows = []
    for name in names:
        found = []
        for task in tasks:
            if task.name == name:
                fitted = Familiarity().fit(task.train)
                area = measure(lambda *_, fitted=fitted: fitted.score, task).area
                refused = [
                    float((fitted.familiarity(X) <= SHARE).mean())
                    for X in (task.test, task.unfamiliar)
                ]
                found.append((area, refused[0], 1 - refused[1]))
        areas, refused_shares, accepted = zip(*found, strict=True)
        promised = ">= 0.99" if name == "photographs, drawn shapes" else ""
        familiar, _, other = name.partition(", ")
        rows += [
            inputs.Row(f"`--reject`, {familiar} against {other}: area under the ROC curve", areas,
                       promised=promised),
            inputs.Row(f"`--reject 0.05`, {familiar} against {other}: share of the latter accepted",
                       accepted),
        ]  # fmt: skip
        if name in (names[0], names[-1]):
            rows.append(
                inputs.Row(f"`--reject 0.05`: share of test images refused, {familiar}",
                           refused_shares)
            )  # fmt: skip
    inputs.publish("open_set", rows)


N_CHANNELS = 512
"""Of VGG16's last layer."""


def _codes(dataset: Dataset, split: str = "train") -> NDArray[np.int64]:
    labels = (dataset.train if split == "train" else dataset.test).labels
    return np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64)


def _draw(n_samples: int, seed: int) -> NDArray[np.intp]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n_samples, round(DRAWN * n_samples), replace=False))


def _cell(found: Sequence[Measured]) -> str:
    areas, accepted = zip(*found, strict=True)
    return f"{np.mean(areas):.3f} ({min(areas):.3f} to {max(areas):.3f}), {np.mean(accepted):.0%}"


if __name__ == "__main__":
    main()
