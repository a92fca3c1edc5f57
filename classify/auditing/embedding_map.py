"""A map of the images in two dimensions: PCA, then t-SNE, computed once and cached."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING

import numpy as np

from cache import disk, file_records
from cache.errors import CacheError
from extract.stored import read_pooled
from reports.records import EmbeddingMap, MapPoint
from toolkit.phases import phase
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from extract.datasets.dataset import Dataset, Item
    from extract.prepare import Prepared

logger = logging.getLogger(__name__)

MAX_POINTS = 1000
"""Largest number of images on a map; those of the test split come first."""
MIN_IMAGES = 10
"""Fewer different images make no map."""
COMPONENTS, PERPLEXITY, ITERATIONS = 50, 30, 500
STAGE = "drawing the map"
METHOD = f"PCA to {COMPONENTS} dimensions, then t-SNE (perplexity {PERPLEXITY})"


@phase(STAGE)
def embedding_map(
    prepared: Prepared, *, seed: int = 0, progress: Progress = silent
) -> EmbeddingMap | None:
    """Arrange images in two dimensions, with similar embeddings near each other.

    Parameters
    ----------
    prepared : Prepared
        Data set with its embeddings, which are averaged over height and width. The positions are
        kept in its cache and not computed again for the same images.
    seed : int, default=0
        Draws the images if there are more than `MAX_POINTS`.
    progress : Progress, optional
        Called with the stage "drawing the map".

    Returns
    -------
    EmbeddingMap or None
        None if there are fewer than `MIN_IMAGES` different images.

    Raises
    ------
    CacheError
        If the embeddings cannot be read.

    References
    ----------
    L. van der Maaten and G. Hinton, Visualizing data using t-SNE, JMLR 2008; as in scikit-learn.
    """
    return map_of(
        prepared.dataset,
        prepared.extraction.digests,
        lambda digests: _cached_positions(prepared, digests, progress),
        seed=seed,
    )


def map_of(
    dataset: Dataset,
    digests: Mapping[Path, str],
    arrange: Callable[[list[str]], Mapping[str, tuple[float, float]]],
    *,
    seed: int = 0,
) -> EmbeddingMap | None:
    """Do what `embedding_map` does, wherever the embeddings are.

    Parameters
    ----------
    dataset : Dataset
    digests : mapping of Path to str
        SHA-256 of every image or embedding.
    arrange : callable
        Returns the positions of some of them, by their SHA-256, which are sorted.
    seed : int, default=0
    """
    items = _draw(dataset.items, seed)
    different = sorted({digests[item.path] for item in items})
    if len(different) < MIN_IMAGES:
        return None
    positions = arrange(different)
    return EmbeddingMap(
        method=METHOD,
        points=[
            MapPoint(
                dataset.relative(item.path),
                str(item.split),
                item.label,
                *positions[digests[item.path]],
            )
            for item in items
        ],
        n_pictures=len(dataset.items),
    )


def tsne_positions(X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Arrange rows in the unit square by PCA and t-SNE.

    Parameters
    ----------
    X : ndarray of float32, shape (n_samples, n_features)

    Returns
    -------
    ndarray of float64, shape (n_samples, 2)
        Both axes have the same scale, the longer one is from 0 to 1. Equal input gives equal
        output.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> two_groups = rng.normal(size=(40, 8)).astype(np.float32) + 9 * (np.arange(40) % 2)[:, None]
    >>> positions = tsne_positions(two_groups.astype(np.float32))
    >>> bool(np.linalg.norm(positions[0::2].mean(axis=0) - positions[1::2].mean(axis=0)) > 0.5)
    True
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if not np.ptp(X, axis=0).any():
        return np.full((len(X), 2), 0.5)
    n_components = min(COMPONENTS, *X.shape)
    # With so few rows, several threads are slower than one.
    with threadpool_limits(1):
        components = PCA(n_components, svd_solver="full").fit_transform(X)
        tsne = TSNE(
            perplexity=min(PERPLEXITY, (len(X) - 1) / 3),
            max_iter=ITERATIONS,
            init="pca" if n_components > 1 else "random",
            random_state=0,
        )
        positions = tsne.fit_transform(components).astype(np.float64)
    extent = np.ptp(positions, axis=0)
    centre = positions.min(axis=0) + extent / 2
    scaled: NDArray[np.float64] = (positions - centre) / max(extent.max(), 1e-12) + 0.5
    return np.clip(scaled, 0.0, 1.0)


def _draw(items: Sequence[Item], seed: int) -> list[Item]:
    """Draw the images of the map, and return them in the order of the data set."""
    shuffled = np.random.default_rng(seed).permutation(len(items))
    test_first = sorted(shuffled, key=lambda i: items[i].split != "test")
    return [items[i] for i in sorted(test_first[:MAX_POINTS])]


def _cached_positions(
    prepared: Prepared, digests: Sequence[str], progress: Progress
) -> dict[str, tuple[float, float]]:
    """Return the positions of images by their SHA-256, from the cache if they are there."""
    method = f"{METHOD}, {ITERATIONS} iterations"
    parts = [method, prepared.base.recipe.fingerprint, *digests]
    key = hashlib.sha256("\n".join(parts).encode("ascii")).hexdigest()
    record = prepared.base.store.folder / "maps" / f"{key}.json"
    fields = file_records.read_record(record)
    if fields is None:
        progress(STAGE, 0, 1)
        positions = tsne_positions(read_pooled(prepared.base, digests)).round(4).tolist()
        fields = {"places": json.dumps(dict(zip(digests, positions, strict=True)))}
        try:
            with disk.attempt(f"write to {record.parent}"):
                disk.make_folder(record.parent)
            file_records.write_record(record, **fields)
        except CacheError as error:
            logger.warning("the map cannot be cached and will be computed again: %s", error)
        progress(STAGE, 1, 1)
    return {digest: (x, y) for digest, (x, y) in json.loads(fields["places"]).items()}
