"""Fine-tuning: the last layers of the base, trained on activations that are computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils.validation import validate_data

from cache.location import cache_folder
from classify.errors import ClassifierError
from classify.estimators.logreg import LogReg
from classify.estimators.solvers.gram import unit_scale
from classify.networks.dense import dense_shapes
from classify.networks.network import PREDICT_BATCH, Network, Shape
from classify.networks.samples import Samples
from extract.backbones.catalog import construct, find_backbone
from extract.backbones.freezing import FreezePoint, find_freeze_point, unfrozen_part
from extract.backbones.weights import Weights, load_base, resolve
from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from classify.estimators.base import ClassWeight, Consumes
    from toolkit.progress import Progress


class Start(NamedTuple):
    """Where the training of a linear head starts.

    Attributes
    ----------
    scale : float
        Factor that gives the features unit mean squared norm.
    kernel : ndarray of float32, shape (n_features, n_classes)
        For the scaled features.
    bias : ndarray of float32, shape (n_classes,)
    """

    scale: float
    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]


class FineTune(Network):
    """The upper layers of a pretrained base and a linear head, trained together.

    The layers below the first one that is trained never change. Their output is computed once and
    cached, and the training starts from it. The head starts as logistic regression on the features
    of the pretrained base, so that the first steps do not distort these.

    Parameters
    ----------
    backbone : str, default="vgg16"
        See `extract.backbones.catalog.find_backbone`.
    size : int, default=150
        Side of the images in pixels.
    weights : str, default="auto"
        Weights of the base; see `extract.backbones.weights.resolve`.
    cache : str or None, default=None
        The cache folder.
    unfreeze : str, default="1"
        Name of the first layer to train, or how many of the last layers that have weights.
    mirror : bool, default=False
        Whether to train on mirror images too. A training sample is then the activations of an image
        followed by those of its mirror image. Predictions are always made for images as they are.
    patience : int, default=3
        Epochs without a lower log loss on a fifth of the training samples, after which no more
        are tried.
    epochs : int, default=20
        At most; the best number is chosen on that fifth, and then all samples are trained on.
    batch_size : int, default=32
        Samples per training step.
    learning_rate : float or sequence of float, default=5e-5
        From several, the one with the lowest log loss on a fifth of the samples is chosen.
    class_weight : {"balanced", None} or dict, default=None
        Whether all classes have the same weight, or all samples.
    random_state : int, default=0
        Seed of the initial weights and of the order of the samples.

    Attributes
    ----------
    freeze_point : FreezePoint
        Where the frozen part of the base ends.
    classes_, model_, history_, n_parameters_, learning_rate_, search_, sweep_
        See `classify.networks.network.Network`.

    Notes
    -----
    The lesson unfreezes the last two layers of VGG16. The last one is a pooling layer, which has no
    weights, so that is one convolution.

    References
    ----------
    .. [1] A. Kumar, A. Raghunathan, R. Jones, T. Ma and P. Liang, "Fine-tuning can distort
       pretrained features and underperform out-of-distribution", ICLR (2022).

    Examples
    --------
    It is trained on the output of the layer below, which ``Options(layer=...)`` extracts:

    >>> FineTune("vgg16", unfreeze="block5_conv3").freeze_point.layer
    'block5_conv2'
    """

    consumes: ClassVar[Consumes] = "activations"
    title: ClassVar[str] = "Last layers trained further"
    hidden_units: int | None = None
    """Units of the head's hidden layer, in models of earlier versions only."""
    _start: Start | None = None
    _started_on: NDArray[Any] | None = None

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
        class_weight: ClassWeight = None,
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

    def _fit(self, train: Samples, progress: Progress) -> None:
        self._pretrained: Weights | None = resolve(
            self.weights, self.backbone, cache=cache_folder(self.cache), size=self.size
        )
        super()._fit(train, progress)
        self._started_on = None

    def before_training(self, samples: Samples) -> None:
        """Fit the head's start, once for all learning rates."""
        if samples.X is not self._started_on:
            self._start, self._started_on = self._logistic_start(samples), samples.X

    def _logistic_start(self, samples: Samples) -> Start:
        """Fit a logistic regression on the features of the pretrained base."""
        keras = import_keras()
        shape, n_classes = samples.X.shape[1:], len(self.classes_)
        features = keras.Sequential(self._feature_layers(shape)).predict(
            samples.X, batch_size=PREDICT_BATCH, verbose=0
        )
        scale = unit_scale(features)
        if np.bincount(samples.codes, minlength=n_classes).min() < LogReg.min_class_size:
            nothing = np.zeros((features.shape[1], n_classes), np.float32)
            return Start(scale, nothing, np.zeros(n_classes, np.float32))
        model = LogReg(class_weight=self.class_weight, random_state=self.random_state)
        model.fit(features, samples.codes, groups=samples.groups)
        kernel, bias = model.coef_.T / scale, model.intercept_
        if n_classes == 2:
            kernel, bias = np.hstack([-kernel, kernel]) / 2, np.hstack([-bias, bias]) / 2
        return Start(scale, kernel.astype(np.float32), bias.astype(np.float32))

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
                f"{' x '.join(map(str, (*views, *shape)))}, found {checked.shape[1]:,} numbers per "
                "sample"
            )
        return checked.reshape(len(checked), *views, *shape)

    def layers(self, sample_shape: Shape, n_classes: int) -> list[Any]:
        """Return the upper layers of the base, and the head."""
        keras = import_keras()
        head: dict[str, Any] = {}
        between = []
        if self._start is not None:
            constant = keras.initializers.Constant
            head = {
                "kernel_initializer": constant(self._start.kernel),
                "bias_initializer": constant(self._start.bias),
            }
            between = [keras.layers.Rescaling(self._start.scale)]
        elif self.hidden_units is not None:
            between = [keras.layers.Dense(self.hidden_units, activation="relu")]
        return [
            *self._feature_layers(sample_shape),
            *between,
            keras.layers.Dense(n_classes, activation="softmax", **head),
        ]

    def get_weights(self) -> list[NDArray[np.float32]]:
        """Return the trained weights, those of the head for the features as they are."""
        *upper, kernel, bias = super().get_weights()
        scale = 1.0 if self._start is None else self._start.scale
        return [*upper, kernel * np.float32(scale), bias]

    def _feature_layers(self, sample_shape: Shape) -> list[Any]:
        """Return the input and the upper layers of the base, up to the embedding."""
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
        ]

    def weight_shapes(self, sample_shape: Shape, n_classes: int) -> list[Shape]:
        """Return the shapes of the weights, without creating those of the head."""
        if tuple(sample_shape) != self.freeze_point.shape:
            raise ClassifierError(
                f"the activations of {self.backbone} after {self.freeze_point.layer} are "
                f"{self.freeze_point.shape}, not {tuple(sample_shape)}"
            )
        upper = unfrozen_part(construct(self.backbone, self.size), self.freeze_point)
        height, width, channels = upper.output_shape[1:]
        flat = find_backbone(self.backbone).pooling == "none"
        n_features = height * width * channels if flat else channels
        hidden = [] if self.hidden_units is None else [self.hidden_units]
        return [
            *(tuple(weight.shape) for weight in upper.get_weights()),
            *dense_shapes(n_features, *hidden, n_classes),
        ]

    def training_samples(self, samples: Samples) -> Samples:
        """Return the samples, with those of the mirror images if wanted, in the same groups."""
        if not self.mirror:
            return samples
        n_samples = len(samples.codes)
        groups = np.arange(n_samples) if samples.groups is None else samples.groups
        images = samples.X.reshape(-1, *samples.X.shape[2:])
        return Samples(images, np.repeat(samples.codes, 2), np.repeat(groups, 2))

    def prediction_inputs(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the activations of the images as they are."""
        return X[:, 0] if self.mirror else X
