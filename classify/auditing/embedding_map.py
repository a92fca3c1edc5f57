"""The pictures in two dimensions: principal components, then t-SNE, drawn once and kept."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING

import numpy as np

from cache import checksums, disk
from cache.errors import CacheError
from extract.pooled import read_pooled
from reports.picture_records import EmbeddingMap, MapPoint
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from extract.datasets.dataset import Item
    from extract.prepare import Prepared

logger = logging.getLogger(__name__)

POINTS = 1000
"""At most so many pictures are drawn, those of the test split first."""
LEAST = 10
"""Fewer are no map."""
COMPONENTS, PERPLEXITY, ITERATIONS = 50, 30, 500
METHOD = f"PCA to {COMPONENTS} dimensions, then t-SNE (perplexity {PERPLEXITY})"


def embedding_map(
    prepared: Prepared, *, seed: int = 0, progress: Progress = silent
) -> EmbeddingMap | None:
    """Place pictures in two dimensions, those with similar embeddings near each other.

    Parameters
    ----------
    prepared : Prepared
        Data set with its embeddings. Of a convolutional base, the mean over height and width
        counts. The places are kept in its cache, and not computed again for the same pictures.
    seed : int
        Draws the pictures where there are more than `POINTS`.
    progress : Progress
        Told of the stage "drawing the map".

    Returns
    -------
    EmbeddingMap or None
        None of fewer than `LEAST` different pictures.

    Raises
    ------
    CacheError
        If the embeddings cannot be read.

    References
    ----------
    L. van der Maaten and G. Hinton, Visualizing data using t-SNE, JMLR 2008; as in scikit-learn.
    """
    items = _chosen(prepared.dataset.items, seed)
    digests = [prepared.extraction.digests[item.path] for item in items]
    if len(set(digests)) < LEAST:
        return None
    places = _kept_places(prepared, sorted(set(digests)), progress)
    return EmbeddingMap(
        method=METHOD,
        points=[
            MapPoint(
                prepared.dataset.relative(item.path),
                str(item.split),
                item.label,
                *places[digest],
            )
            for item, digest in zip(items, digests, strict=True)
        ],
        n_pictures=len(prepared.dataset.items),
    )


def placed(X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a place in the unit square for every row.

    Parameters
    ----------
    X : ndarray of float32, shape (n_samples, n_features)

    Returns
    -------
    ndarray of float64, shape (n_samples, 2)
        Both axes on one scale, the longer one from 0 to 1. The same for the same rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> two_groups = rng.normal(size=(40, 8)).astype(np.float32) + 9 * (np.arange(40) % 2)[:, None]
    >>> places = placed(two_groups.astype(np.float32))
    >>> bool(np.linalg.norm(places[0::2].mean(axis=0) - places[1::2].mean(axis=0)) > 0.5)
    True
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if not np.ptp(X, axis=0).any():
        return np.full((len(X), 2), 0.5)
    n_components = min(COMPONENTS, *X.shape)
    # On so few rows, threads wait for each other longer than they compute.
    with threadpool_limits(1):
        components = PCA(n_components, svd_solver="full").fit_transform(X)
        tsne = TSNE(
            perplexity=min(PERPLEXITY, (len(X) - 1) / 3),
            max_iter=ITERATIONS,
            init="pca" if n_components > 1 else "random",
            random_state=0,
        )
        places = tsne.fit_transform(components).astype(np.float64)
    extent = np.ptp(places, axis=0)
    middle = places.min(axis=0) + extent / 2
    scaled: NDArray[np.float64] = (places - middle) / max(extent.max(), 1e-12) + 0.5
    return np.clip(scaled, 0.0, 1.0)


def _chosen(items: Sequence[Item], seed: int) -> list[Item]:
    """Return the items to draw, in the data set's order."""
    drawn = np.random.default_rng(seed).permutation(len(items))
    first = sorted(drawn, key=lambda i: items[i].split != "test")[:POINTS]
    return [items[i] for i in sorted(first)]


def _kept_places(
    prepared: Prepared, digests: Sequence[str], progress: Progress
) -> dict[str, tuple[float, float]]:
    """Return the places of the pictures by their digests, from the cache if they are there."""
    method = f"{METHOD}, {ITERATIONS} iterations"
    parts = [method, prepared.base.recipe.fingerprint, *digests]
    key = hashlib.sha256("\n".join(parts).encode("ascii")).hexdigest()
    record = prepared.base.store.folder / "maps" / f"{key}.json"
    fields = checksums.read_record(record)
    if fields is None:
        progress("drawing the map", 0, 1)
        places = placed(read_pooled(prepared.base, digests)).round(4).tolist()
        fields = {"places": json.dumps(dict(zip(digests, places, strict=True)))}
        try:
            with disk.attempt(f"write to {record.parent}"):
                disk.make_folder(record.parent)
            checksums.write_record(record, **fields)
        except CacheError as error:
            logger.warning("the map is drawn anew the next time: %s", error)
        progress("drawing the map", 1, 1)
    return {digest: (x, y) for digest, (x, y) in json.loads(fields["places"]).items()}
