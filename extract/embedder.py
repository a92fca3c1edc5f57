"""The extraction as a scikit-learn transformer: paths in, features out, through the cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin

from extract.errors import ImageError
from extract.frozen import FrozenBase
from extract.images.decoding import MAX_PIXELS
from extract.images.loading import ReadSettings
from extract.options import BaseSettings
from extract.pipeline import hash_images

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    import numpy as np


class Embedder(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Turn image files into the features of a frozen convolutional base.

    Every image is computed once: its embedding is kept in the cache under the SHA-256 of its
    bytes, where ``python -m extract`` and other runs find it too. There is nothing to fit, but for
    int8, which is calibrated once on the images that `fit` is given first.

    Parameters
    ----------
    backbone : str, default "vgg16"
        A network of `keras.applications`, see `extract.backbones.catalog.find_backbone`.
    size : int or {"default", "native"}, default "default"
        Side in pixels of the square that images are resized to: what the backbone was trained on,
        or (default) for VGG16 the lesson's 150.
    pooling : {"auto", "none", "avg", "max"}, default "auto"
        What is done over the two spatial axes of the base's output; auto is what the backbone's own
        classifier does with it.
    preprocess : {"auto", "notebook"}, default "auto"
        What the weights were trained with, or the lesson's BGR / 255.
    precision : {"float32", "int8", "float16", "bfloat16"}, default "float32"
        Number format of the forward pass; int8 needs the extra ``fast``, the last two a GPU.
    flip : bool, default False
        Whether an embedding is the mean over the image and its mirror image.
    weights : str, default "auto"
        ``auto``, ``imagenet``, ``torchvision`` or a file.
    engine : {"auto", "tensorflow", "openvino"}, default "auto"
        What computes; see `extract.engines.choose`.
    cache : str or Path, optional
        The cache folder; the one of ``FROZEN_FEATURES_CACHE`` or the user's by default.
    batch_size : int, default 32
        Images per forward pass.
    workers : int, optional
        Processes that read and decode; one per core by default.
    max_pixels : int, default 50 million
        Width times height up to which an image is decoded.

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
        size: int | str = "default",
        pooling: str = "auto",
        preprocess: str = "auto",
        precision: str = "float32",
        flip: bool = False,
        weights: str = "auto",
        engine: str = "auto",
        cache: str | Path | None = None,
        batch_size: int = 32,
        workers: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.backbone = backbone
        self.size = size
        self.pooling = pooling
        self.preprocess = preprocess
        self.precision = precision
        self.flip = flip
        self.weights = weights
        self.engine = engine
        self.cache = cache
        self.batch_size = batch_size
        self.workers = workers
        self.max_pixels = max_pixels

    def fit(self, X: Sequence[str | Path], y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's
        """Calibrate int8 on `X`, if the cache has no model yet; otherwise there is nothing to do.

        Parameters
        ----------
        X : sequence of str or Path, length n_samples
            Paths of training images.
        y : ignored

        Raises
        ------
        ToolkitError
            As from `transform`.
        """
        if self.precision == "int8":
            self._base(X)
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
        paths = [Path(path) for path in X]
        base = self._base(paths)
        done = base.extract(paths, batch_size=self.batch_size, reading=self.read_settings)
        for path, reason in done.quarantine.items():
            raise ImageError(f"{path} cannot be used as an image: {reason}")
        return base.embeddings([done.digests[path] for path in paths])

    @property
    def base_settings(self) -> BaseSettings:
        """What decides an embedding, and where it is kept."""
        return BaseSettings(
            self.backbone,
            size=self.size,
            pooling=self.pooling,
            preprocess=self.preprocess,
            precision=self.precision,
            flip=self.flip,
            weights=str(self.weights),
            engine=self.engine,
            cache=self.cache,
        )

    @property
    def read_settings(self) -> ReadSettings:
        """How image files are read."""
        return ReadSettings(self.workers, self.max_pixels)

    def _base(self, X: Sequence[str | Path]) -> FrozenBase:
        """Return the base, calibrated on `X` if it must be and was not."""
        base = FrozenBase.choose(self.base_settings)
        if not base.needs_calibration:
            return base
        digests, _ = hash_images([Path(path) for path in X], base.store, reading=self.read_settings)
        return base.calibrated(digests, reading=self.read_settings)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags
