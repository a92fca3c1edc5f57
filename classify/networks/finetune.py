"""The last layers of the base trained further, on activations that are computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from sklearn.utils.validation import validate_data

from cache.location import cache_folder
from classify.errors import ClassifierError
from classify.networks.dense import HIDDEN_UNITS
from classify.networks.network import Network, Shape, validation_split
from extract.backbones.catalog import construct, find_backbone
from extract.backbones.freezing import FreezePoint, find_freeze_point, unfrozen_part
from extract.backbones.weights import Weights, load_base, resolve
from extract.libraries import import_keras
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from classify.estimators.base import ClassWeight
    from toolkit.progress import Progress


class FineTune(Network):
    """The upper layers of a pretrained base and a dense head, trained together.

    What lies below the first layer that is trained never changes: its output is taken from the
    cache, and no step of the training goes through it. See `Network` for the other parameters and
    the attributes.

    Parameters
    ----------
    backbone : str
        See `extract.backbones.catalog.find_backbone`.
    size : int
        Side of the images in pixels.
    weights : str
        Where the base's weights are; see `extract.backbones.weights.resolve`.
    cache : str or None
        The cache folder.
    mirror : bool
        Whether it is trained on the mirror images too: each sample then is the activations of an
        image and, behind them, those of its mirror image. What is predicted is always of images
        as they are.
    unfreeze : str
        Name of the first layer that is trained, or how many of the last layers with weights.
    patience : int
        Epochs without a lower log loss on a validation part of the training samples, after which
        the training ends. The best epoch's weights are kept.

    Notes
    -----
    The lesson unfreezes the last two layers of VGG16; the very last is a pooling, which has no
    weights, so that is one convolution.

    Examples
    --------
    It is trained on what the layer below gives, which ``BaseSettings(layer=...)`` extracts:

    >>> FineTune("vgg16", unfreeze="block5_conv3").freeze_point.layer
    'block5_conv2'
    """

    consumes: ClassVar[Literal["embeddings", "images", "activations"]] = "activations"
    title: ClassVar[str] = "Last layers trained further"

    def __init__(
        self,
        backbone: str = "vgg16",
        size: int = 150,
        weights: str = "auto",
        cache: str | None = None,
        unfreeze: str = "1",
        mirror: bool = False,
        patience: int = 3,
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float | Sequence[float] = 5e-5,
        class_weight: ClassWeight = "balanced",
        random_state: int = 0,
    ) -> None:
        super().__init__(epochs, batch_size, learning_rate, class_weight, random_state)
        self.backbone = backbone
        self.size = size
        self.weights = weights
        self.cache = cache
        self.unfreeze = unfreeze
        self.mirror = mirror
        self.patience = patience

    @property
    def freeze_point(self) -> FreezePoint:
        """Where the frozen part of the base ends."""
        return find_freeze_point(find_backbone(self.backbone).name, self.size, self.unfreeze)

    def fit(self, X: ArrayLike, y: ArrayLike, progress: Progress = silent) -> Self:
        """Train from the pretrained weights on; see `Network.fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_activations)
            Output of the layer that the base is cut at, flattened.
        y : array-like of shape (n_samples,)
        progress : Progress
            Told about every step.
        """
        self._pretrained: Weights | None = resolve(
            self.weights, self.backbone, cache=cache_folder(self.cache), size=self.size
        )
        super().fit(X, y, progress)
        return self

    def check_samples(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """Return `X` as float32 ``(n_samples, height, width, channels)``.

        With mirror images, training samples are ``(n_samples, 2, height, width, channels)``.
        """
        checked: NDArray[np.float32] = validate_data(self, X, dtype=np.float32, reset=reset)
        shape = self.freeze_point.shape if reset else self.sample_shape_
        views = (2,) if self.mirror and reset else ()
        if checked.shape[1] != np.prod((*views, *shape)):
            raise ClassifierError(
                f"expected activations of {self.backbone} after {self.freeze_point.layer}, "
                f"{' x '.join(map(str, (*views, *shape)))}, found {checked.shape[1]:,} numbers a "
                "sample"
            )
        return checked.reshape(len(checked), *views, *shape)

    def layers(self, sample_shape: Shape, n_classes: int) -> list[Any]:
        """Return the upper layers of the base, and the head."""
        keras = import_keras()
        pretrained = getattr(self, "_pretrained", None)
        base = (
            construct(self.backbone, self.size)
            if pretrained is None
            else load_base(self.backbone, self.size, pretrained)
        )
        flat = find_backbone(self.backbone).pooling == "none"
        return [
            keras.Input(sample_shape),
            unfrozen_part(base, self.freeze_point),
            keras.layers.Flatten() if flat else keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(HIDDEN_UNITS, activation="relu"),
            keras.layers.Dense(n_classes, activation="softmax"),
        ]

    def weight_shapes(self, sample_shape: Shape, n_classes: int) -> list[Shape]:
        """Return the shapes of the weights; nothing as large as the head is made for it."""
        if tuple(sample_shape) != self.freeze_point.shape:
            raise ClassifierError(
                f"the activations of {self.backbone} after {self.freeze_point.layer} are "
                f"{self.freeze_point.shape}, "
                f"not {tuple(sample_shape)}"
            )
        upper = unfrozen_part(construct(self.backbone, self.size), self.freeze_point)
        height, width, channels = upper.output_shape[1:]
        flat = find_backbone(self.backbone).pooling == "none"
        n_features = height * width * channels if flat else channels
        return [
            *(tuple(weight.shape) for weight in upper.get_weights()),
            (n_features, HIDDEN_UNITS),
            (HIDDEN_UNITS,),
            (HIDDEN_UNITS, n_classes),
            (n_classes,),
        ]

    def callbacks(self) -> list[Any]:
        """Return what ends the training, and keeps the best epoch."""
        early = import_keras().callbacks.EarlyStopping(
            monitor="val_loss", patience=self.patience, restore_best_weights=True
        )
        return [early]

    def _train(
        self,
        rate: float,
        data: tuple[NDArray[Any], NDArray[np.int64]],
        classes: NDArray[Any],
        weights: NDArray[np.float64],
        progress: Callable[[int, int], None],
        validation: tuple[NDArray[Any], NDArray[np.int32]] | None = None,
    ) -> dict[str, list[float]]:
        if validation is None:
            data, validation = validation_split(data, self.random_state)
        if self.mirror:
            (samples, codes), (held_out, truth) = data, validation
            data = samples.reshape(-1, *samples.shape[2:]), np.repeat(codes, 2)
            validation = held_out[:, 0], truth
        return super()._train(rate, data, classes, weights, progress, validation)
