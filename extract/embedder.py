"""The extraction as a scikit-learn transformer: images in, features out, through the cache."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from cache.location import cache_folder
from cache.store import Store
from extract.engines.model_store import network_of
from extract.errors import EngineError, ImageError
from extract.frozen import FrozenBase
from extract.images.formats import MAX_PIXELS
from extract.images.hashing import hash_images
from extract.images.inputs import image_digest, read_inputs, with_bits_of
from extract.images.loading import ReadSettings, usable_images
from extract.images.pixels import PixelSettings
from extract.images.resizing import resize
from extract.options import RESIZINGS, BaseSettings
from extract.value_range import adapted, find_deep
from toolkit.progress import as_progress
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from numpy.typing import NDArray

    from toolkit.progress import Progress


class Embedder(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Turn images into the features of a frozen convolutional base.

    Every image is computed once. The embedding of a file is kept in the cache under the SHA-256 of
    its bytes, where ``python -m extract`` and other runs find it too; that of an image in memory
    under the SHA-256 of its pixels. There is nothing to fit, except for int8, which is calibrated
    on the images of `fit`, and for images of more than 8 bits, whose range of values is decided by
    them.

    Parameters
    ----------
    backbone : str, default="vgg16"
        A network of `keras.applications`, see `extract.backbones.catalog.find_backbone`.
    size : int or {"default", "native"}, default="default"
        Side in pixels of the square that images are resized to. ``"native"`` is the size the
        backbone was trained on; ``"default"`` is the same, except for VGG16, where it is 150.
    pooling : {"auto", "none", "avg", "max"}, default="auto"
        Pooling over height and width of the base's output. ``"auto"`` is what the backbone's own
        classifier uses.
    layer : str, default=None
        Name of the layer whose output is the embedding. ``None`` is the last layer of the base.
    preprocess : {"auto", "notebook"}, default="auto"
        ``"auto"`` is the preprocessing that the weights were trained with, ``"notebook"`` is
        BGR / 255.
    precision : {"float32", "int8", "float16", "bfloat16"}, default="float32"
        Number format of the forward pass. int8 needs the extra ``fast``; bfloat16 needs it and a
        processor with bfloat16, or a GPU; float16 needs a GPU.
    resize : {"bicubic", "lanczos"}, default="bicubic"
        ``"bicubic"`` filters before it samples, and decodes images as a person sees them.
        ``"lanczos"`` is the arithmetic of the lesson and of the first version of this toolkit.
    aspect : {"stretch", "crop", "pad"}, default="stretch"
        How an image that is not square becomes one: both sides are given the size, or the largest
        square in the middle is used, or the image is put on white in its own proportions.
    flip : bool, default=False
        Whether an embedding is the mean over the image and its horizontal flip.
    weights : str or Path, default="auto"
        ``"auto"``, ``"imagenet"``, ``"torchvision"`` or a file.
    engine : {"auto", "tensorflow", "openvino"}, default="auto"
        What runs the network; see `extract.engines.choose`.
    cache : str or Path, default=None
        The cache folder. ``None`` is the folder that the environment variable
        ``FROZEN_FEATURES_CACHE`` names, else the user's cache folder.
    batch_size : int, default=32
        Images per forward pass. It changes the speed, not the features.
    workers : int, default=None
        Processes that read and decode. ``None`` is one for each core.
    max_pixels : int, default=50 million
        Width times height up to which an image is accepted.
    progress : bool or Progress, default=False
        ``True`` shows a progress bar, also in a notebook; see `toolkit.progress`.

    See Also
    --------
    extract.load_dataset : Paths and labels of a folder, a CSV file or a named data set.
    classify.compare : Compare classifiers on the features.

    Notes
    -----
    Features are embeddings flattened in C order: height, width, channel. They are called
    ``embedder0``, ``embedder1``, ...

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
        layer: str | None = None,
        preprocess: str = "auto",
        precision: str = "float32",
        resize: str = "bicubic",
        aspect: str = "stretch",
        flip: bool = False,
        weights: str | Path = "auto",
        engine: str = "auto",
        cache: str | Path | None = None,
        batch_size: int = 32,
        workers: int | None = None,
        max_pixels: int = MAX_PIXELS,
        progress: bool | Progress = False,
    ) -> None:
        self.backbone = backbone
        self.size = size
        self.pooling = pooling
        self.layer = layer
        self.preprocess = preprocess
        self.precision = precision
        self.resize = resize
        self.aspect = aspect
        self.flip = flip
        self.weights = weights
        self.engine = engine
        self.cache = cache
        self.batch_size = batch_size
        self.workers = workers
        self.max_pixels = max_pixels
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's signature
        """Check `X`, and decide on it what the features need.

        These are, for images of more than 8 bits, which values are black and white; and for int8,
        the calibration; see `extract.frozen.FrozenBase.calibrated_on`.

        Parameters
        ----------
        X : array-like of shape (n_samples,)
            Training images, as for `transform`.
        y : None
            Ignored.

        Returns
        -------
        Embedder
            This object.

        Raises
        ------
        ToolkitError
            As from `transform`.
        """
        self._range = PixelSettings(1, RESIZINGS.get(self.resize, self.resize))
        self._range = with_bits_of(X, self._range)
        inputs = read_inputs(X, self.max_pixels, pixels=self._range)
        paths = [element for element in inputs if isinstance(element, Path)]
        with as_progress(self.progress) as progress:
            store = Store(cache_folder(self.cache))
            deep = find_deep(paths, store, reading=self.read_settings, progress=progress)
            if deep or self.precision == "int8":
                base = self._base(inputs, progress)
                self._range = base.recipe.pixels
                base = self._calibrate(base, inputs, progress)
                self._calibrated = network_of(base.recipe), base.calibration
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the features of images.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, 1)
            A list, a NumPy array, a pandas Series or a data frame of one column, with paths of
            image files (str or Path), PIL images, or uint8 arrays of shape (height, width, 3) in
            RGB. Also an array of shape (n_samples, height, width, 3), or a split of a data set.

        Returns
        -------
        numpy.ndarray of float32, shape (n_samples, n_features)
            The embeddings. A data frame after ``set_output(transform="pandas")``.

        Raises
        ------
        DataError
            If `X` is not such a container, or is empty.
        ImageError
            If an image cannot be used, because a transformer cannot leave out rows. The message
            names its row.
        EngineError
            With int8, if `fit` has not calibrated it.
        ToolkitError
            If the weights or the cache cannot be used.
        """
        inputs = read_inputs(X, self.max_pixels, pixels=self._known_range())
        with as_progress(self.progress) as progress:
            base = self._with_calibration(self._base(inputs, progress))
            digests = self._extract(base, inputs, progress)
            features = base.embeddings(digests)
        self._n_features_out = features.shape[1]
        return features

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:  # noqa: ARG002
        """Return the names of the features: the class name in lower case and a number.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str, shape (n_features,)
            ``embedder0``, ``embedder1``, ... Before the first `transform`, this builds the network
            to count them, which takes seconds.
        """
        if not hasattr(self, "_n_features_out"):
            self._n_features_out = self._count_features()
        prefix = type(self).__name__.lower()
        return np.array([f"{prefix}{i}" for i in range(self._n_features_out)], dtype=object)

    @property
    def base_settings(self) -> BaseSettings:
        """What decides an embedding, and where it is kept."""
        names = {field.name for field in dataclasses.fields(BaseSettings)}
        params = {name: value for name, value in self.get_params().items() if name in names}
        return BaseSettings(**{**params, "weights": str(self.weights)})

    @property
    def read_settings(self) -> ReadSettings:
        """How image files are read."""
        return ReadSettings(self.workers, self.max_pixels)

    def _known_range(self) -> PixelSettings:
        """Return what the images of `fit` have decided about black and white in deep images."""
        default = PixelSettings(1, RESIZINGS.get(self.resize, self.resize))
        known: PixelSettings = getattr(self, "_range", default)
        return known if known.interpolation == default.interpolation else default

    def _base(self, inputs: Sequence[Path | NDArray[np.uint8]], progress: Progress) -> FrozenBase:
        """Return the base, which knows what is black and white in these images."""
        base = FrozenBase.choose(self.base_settings, progress=progress)
        base = base.with_range_of(self._known_range())
        recipe = adapted(
            base.recipe,
            [element for element in inputs if isinstance(element, Path)],
            base.store,
            origin="over the images of this call",
            reading=self.read_settings,
            progress=progress,
        )
        return base.with_range_of(recipe)

    def _calibrate(
        self, base: FrozenBase, inputs: Sequence[Path | NDArray[np.uint8]], progress: Progress
    ) -> FrozenBase:
        """Return the base, calibrated on these images if it is in int8: first those in memory."""
        if not base.needs_calibration:
            return base
        reading, pixels = self.read_settings, base.recipe.pixels
        paths = [element for element in inputs if isinstance(element, Path)]
        digests, _ = hash_images(paths, base.store, reading=reading, progress=progress)
        if len(paths) == len(inputs):
            return base.calibrated(digests, reading=reading, progress=progress)
        images = {image_digest(image): image for image in inputs if not isinstance(image, Path)}
        files = {digest: path for path, digest in digests.items()}

        def load(n_images: int) -> tuple[list[str], NDArray[np.uint8]]:
            used = sorted(images)[:n_images]
            chosen = [resize(images[digest], pixels) for digest in used]
            if len(used) < n_images and files:
                found, decoded = usable_images(
                    [files[digest] for digest in sorted(files)],
                    pixels,
                    n_images - len(used),
                    reading=reading,
                    progress=progress,
                )
                used += [digests[path] for path in found]
                chosen += [*decoded]
            return used, np.stack(chosen)

        return base.calibrated_on([*sorted(images), *sorted(files)], load, progress=progress)

    def _with_calibration(self, base: FrozenBase) -> FrozenBase:
        """Return the base with the calibration of `fit`, if it is in int8."""
        if not base.needs_calibration:
            return base
        network, calibration = getattr(self, "_calibrated", (None, None))
        of_pixels = base.with_range_of(self._known_range())
        if calibration is None or network != network_of(of_pixels.recipe):
            raise EngineError(
                "int8 is calibrated on training images, and this embedder was not fitted with "
                "these parameters: call fit on the training images first",
                setting="precision",
            )
        recipe = dataclasses.replace(base.recipe, quantised=calibration.quantised)
        return dataclasses.replace(base, recipe=recipe, calibration=calibration)

    def _extract(
        self,
        base: FrozenBase,
        inputs: Sequence[Path | NDArray[np.uint8]],
        progress: Progress,
    ) -> list[str]:
        """Put all embeddings into the store, and return the digest of each row's image."""
        paths = [element for element in inputs if isinstance(element, Path)]
        images = [element for element in inputs if not isinstance(element, Path)]
        of_paths: dict[Path, str] = {}
        if paths:
            done = base.extract(
                paths, batch_size=self.batch_size, reading=self.read_settings, progress=progress
            )
            if done.quarantine:
                raise _unusable(inputs, done.quarantine)
            of_paths = done.digests
        of_images = iter(
            base.extract_images(images, batch_size=self.batch_size, progress=progress)
            if images
            else []
        )
        return [
            of_paths[element] if isinstance(element, Path) else next(of_images)
            for element in inputs
        ]

    def _count_features(self) -> int:
        """Return the number of features, from the embedding of a black image."""
        base = FrozenBase.choose(self.base_settings)
        # An int8 network gives as many numbers as the one in float32, which needs no calibration.
        recipe = dataclasses.replace(base.recipe, quantised=None, precision="float32", flip=False)
        engine = dataclasses.replace(base, recipe=recipe).make_engine()
        return int(engine(np.zeros((1, recipe.size, recipe.size, 3), np.uint8)).size)

    def __sklearn_is_fitted__(self) -> bool:
        return self.precision != "int8" or hasattr(self, "_calibrated")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.precision == "int8"
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags


def _unusable(
    inputs: Sequence[Path | NDArray[np.uint8]], quarantine: Mapping[Path, str]
) -> ImageError:
    """Return an error that names the first row of a file that cannot be used."""
    unusable = {
        row: element
        for row, element in enumerate(inputs)
        if isinstance(element, Path) and element in quarantine
    }
    row, path = next(iter(unusable.items()))
    reason = quarantine[path]
    if path.is_dir():
        reason = "it is a folder; pass the paths of its files, or read it with extract.load_dataset"
    elif len(unusable) > 1:
        reason += f" (and {plural(len(unusable) - 1, 'more row')})"
    return ImageError(f"row {row}: {path} cannot be used as an image: {reason}")
