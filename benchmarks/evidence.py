"""Whether evidence maps find the places that matter: a deletion test on photographs.

Places of test images are blotted out with the image's mean colour, in the order of a map, and the
image is embedded and classified again: the better the map, the faster the probability of the true
class falls. Evidence is compared with random places, and with maps that cost the same: the size of
the gradient at each place, and Grad-CAM, both of the decision value by the network's last output.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.common import inputs
from classify import LogReg
from classify.explaining.evidence import Explainer
from classify.explaining.linear import linear_form
from extract import load_dataset
from extract.frozen import FrozenBase
from extract.images.loading import load_images
from extract.options import BaseSettings
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from extract.datasets.dataset import Dataset
    from extract.engines import Engine

BLOTTED = (1, 2, 4, 8)
"""Numbers of places, of the 16 of VGG16 at 150 pixels."""
N_TRAIN, N_TEST = 1_000, 200
DRAWS = 2_000
EVIDENCE, RANDOM, GRADIENT, GRAD_CAM = "evidence", "random", "gradient", "Grad-CAM"


class Sample(NamedTuple):
    """Images as the network takes them, with their codes."""

    pixels: NDArray[np.uint8]
    codes: NDArray[np.intp]


def main() -> None:
    """Measure, print paired differences with their intervals, and publish the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = BaseSettings("vgg16", weights=inputs.weights(), cache=folder / "cache")
        base = FrozenBase.choose(settings)
        data, engine = load_dataset(inputs.photographs(folder)), base.make_engine()
        found = [measure(data, base, engine, seed) for seed in args.seeds]
    curves = {method: [of_seed[method] for of_seed in found] for method in found[0]}
    publish(curves)


def measure(
    data: Dataset, base: FrozenBase, engine: Engine, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Return the probability of the true class of each image, by method and number of places.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_test, 1 + len(BLOTTED))
        The first column is of the whole images.
    """
    rng = np.random.default_rng(seed)
    train, test = (
        _sample(data, split, base, rng, number)
        for split, number in (("train", N_TRAIN), ("test", N_TEST))
    )
    embed = _in_batches(engine)
    model = LogReg().fit(embed(train.pixels), train.codes)
    embeddings = _in_batches(engine, flat=False)(test.pixels)
    evidence = Explainer(model, base).of_embeddings(embeddings, test.codes)
    assert evidence is not None  # VGG16 keeps places
    coef, sign = linear_form(model).coef, np.ones((len(test.codes), 1))
    if len(coef) == 1:  # of two classes, the second is explained
        sign[test.codes == 0] = -1
    n_places = evidence.maps[0].size
    places = embeddings.reshape(len(sign), n_places, -1)
    weights = sign * (coef if len(coef) == 1 else coef[test.codes])
    weights = weights.reshape(len(sign), n_places, -1)
    maps = {
        EVIDENCE: sign * evidence.maps.reshape(len(sign), -1),
        RANDOM: rng.random((len(sign), n_places)),
        GRADIENT: np.linalg.norm(weights, axis=2),
        GRAD_CAM: (weights.mean(axis=1, keepdims=True) * places).sum(axis=2).clip(0),
    }
    borders = _borders(evidence.extent, evidence.maps.shape[1], base.recipe.size)

    def probability(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = model.predict_proba(embed(pixels))
        return found[np.arange(len(pixels)), test.codes]

    whole = probability(test.pixels)
    return {
        method: np.column_stack(
            [whole, *(probability(_blot(test.pixels, map_, n, borders)) for n in BLOTTED)]
        )
        for method, map_ in maps.items()
    }


def publish(curves: dict[str, list[NDArray[np.float64]]]) -> None:
    """Print the curves of all seeds, and publish those of a few places and what lies between."""
    for method, of_seeds in curves.items():
        means = np.concatenate(of_seeds).mean(axis=0)
        print(f"{method:10}", " ".join(f"{mean:.3f}" for mean in means), flush=True)
    rows = []
    for method, of_seeds in curves.items():
        for n in (1, 4):
            values = [float(curve[:, 1 + BLOTTED.index(n)].mean()) for curve in of_seeds]
            what = f"deletion test, {plural(n, 'place')} by {method}: probability of the true class"
            rows.append(inputs.Row(what, values))
    ours = np.concatenate(curves[EVIDENCE])[:, 1:].mean(axis=1)
    for method in (RANDOM, GRADIENT, GRAD_CAM):
        differences = ours - np.concatenate(curves[method])[:, 1:].mean(axis=1)
        low, high = _interval(differences)
        print(f"{EVIDENCE} minus {method}: {differences.mean():+.3f} ({low:+.3f} to {high:+.3f})")
        values = [
            float((mine[:, 1:].mean(axis=1) - theirs[:, 1:].mean(axis=1)).mean())
            for mine, theirs in zip(curves[EVIDENCE], curves[method], strict=True)
        ]
        what = f"the same over {BLOTTED[0]} to {BLOTTED[-1]} places, {EVIDENCE} minus {method}"
        rows.append(inputs.Row(what, values, promised="<= 0"))
    inputs.publish("evidence", rows)


def _interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95% interval of the mean of paired differences, by the bootstrap."""
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(differences), (DRAWS, len(differences)))
    low, high = np.quantile(differences[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _sample(
    data: Dataset, split: str, base: FrozenBase, rng: np.random.Generator, number: int
) -> Sample:
    items = data.train if split == "train" else data.test
    rows = np.sort(rng.permutation(len(items.paths))[:number])
    codes = np.searchsorted(data.classes, np.asarray(items.labels)[rows])
    return Sample(load_images([items.paths[row] for row in rows], base.recipe.pixels), codes)


def _in_batches(network: Callable[..., NDArray[np.float32]], *, flat: bool = True) -> Engine:
    """Return a network that takes any number of images."""

    def embed(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        batches = [network(pixels[start : start + 32]) for start in range(0, len(pixels), 32)]
        embeddings = np.concatenate(batches)
        return embeddings.reshape(len(pixels), -1) if flat else embeddings

    return embed


def _borders(extent: tuple[float, float], side: int, size: int) -> NDArray[np.intp]:
    """Return where places begin and end, in pixels; the outer ones reach to the borders."""
    borders = np.linspace(*extent, side + 1) * size
    borders[0], borders[-1] = 0, size
    return borders.round().astype(np.intp)


def _blot(
    pixels: NDArray[np.uint8], maps: NDArray[np.float64], n: int, borders: NDArray[np.intp]
) -> NDArray[np.uint8]:
    """Cover the `n` places of each image where its map is largest with the image's mean colour."""
    blotted = pixels.copy()
    for image, map_ in zip(blotted, maps, strict=True):
        colour = image.mean(axis=(0, 1)).round()
        for place in np.argsort(-map_, kind="stable")[:n]:
            row, column = divmod(int(place), len(borders) - 1)
            rows = slice(borders[row], borders[row + 1])
            image[rows, borders[column] : borders[column + 1]] = colour
    return blotted


if __name__ == "__main__":
    main()
