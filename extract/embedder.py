"""The extraction as a scikit-learn transformer: paths in, features out, through the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

from extract.errors import ImageError
from extract.frozen import FrozenBase

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    import numpy as np


class Embedder(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Turn image files into the features of a frozen convolutional base.

    Every image is computed once: its embedding is kept in the cache under the SHA-256 of its
    bytes, where ``python -m extract`` and other runs find it too. There is nothing to fit.

    Parameters
    ----------
    backbone : str, default "vgg16"
        A network of `keras.applications`, by its name in lower case.
    size : int, default 150
        Side in pixels of the square that images are resized to.
    pooling : {"none", "avg", "max"}, default "none"
        What is done over the two spatial axes of the base's output.
    preprocess : {"auto", "notebook"}, default "auto"
        What the weights were trained with, or the lesson's BGR / 255.
    weights : str, default "auto"
        ``auto``, ``imagenet``, ``torchvision`` or a file.
    cache : str or Path, optional
        The cache folder; the one of ``FROZEN_FEATURES_CACHE`` or the user's by default.
    batch_size : int, default 32
        Images per forward pass.
    workers : int, optional
        Threads that read and decode; one per core by default.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> model = make_pipeline(Embedder("vgg16"), LogisticRegression())
    >>> model.fit(paths, labels).predict(["new.jpg"])  # doctest: +SKIP
    """

    def __init__(
        self,
        backbone: str = "vgg16",
        *,
        size: int = 150,
        pooling: str = "none",
        preprocess: str = "auto",
        weights: str = "auto",
        cache: str | Path | None = None,
        batch_size: int = 32,
        workers: int | None = None,
    ) -> None:
        self.backbone = backbone
        self.size = size
        self.pooling = pooling
        self.preprocess = preprocess
        self.weights = weights
        self.cache = cache
        self.batch_size = batch_size
        self.workers = workers

    def fit(self, X: Sequence[str | Path], y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's
        """Do nothing: the base is frozen. Part of scikit-learn's interface."""
        return self

    def transform(self, X: Sequence[str | Path]) -> np.ndarray:
        """Return the features of image files.

        Parameters
        ----------
        X : sequence of str or Path, length n_samples
            Paths of image files.

        Returns
        -------
        numpy.ndarray of float32, shape (n_samples, n_features)
            The embeddings, flattened in C order: height, width, channel.

        Raises
        ------
        ImageError
            If a file cannot be used as an image: rows cannot be left out here.
        ToolkitError
            If the weights or the cache cannot be used.
        """
        from pathlib import Path

        paths = [Path(path) for path in X]
        base = FrozenBase.choose(
            self.backbone,
            size=self.size,
            pooling=self.pooling,
            preprocess=self.preprocess,
            weights=str(self.weights),
            cache=self.cache,
        )
        done = base.extract(paths, batch_size=self.batch_size, workers=self.workers)
        for path, reason in done.quarantine.items():
            raise ImageError(f"{path} cannot be used as an image: {reason}")
        return base.embeddings([done.digests[path] for path in paths])

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags
