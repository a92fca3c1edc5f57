"""Training VGG16's last convolution on cached activations, compared with the whole base.

Both start from the same weights, see the same photographs in the same order, and train the last
convolution and the lesson's head for one epoch, alternately in one process. In the whole base the
lower layers are frozen, so it too computes gradients for the last convolution only.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.common import inputs
from classify.networks.dense import HIDDEN_UNITS
from extract.backbones import catalog
from extract.backbones.freezing import find_freeze_point, unfrozen_part
from extract.backbones.weights import load_base
from extract.frozen import FrozenBase
from extract.images.loading import load_images
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset
from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from extract.backbones.freezing import FreezePoint

UNFREEZE = "block5_conv3"
SIZE = 150
BATCH = 32


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = Options(inputs.photographs(folder), BaseSettings(cache=folder / "cache"))
        dataset = find_dataset(options)
        train = [item for item in dataset.items if item.split != "test"]
        chosen = train[:: max(1, len(train) // args.images)][: args.images]
        paths = [item.path for item in chosen]
        codes = np.array([dataset.classes.index(item.label) for item in chosen], dtype=np.int32)
        point = find_freeze_point("vgg16", SIZE, UNFREEZE)
        base = FrozenBase.choose(
            BaseSettings(
                layer=point.layer, pooling="none", weights=inputs.weights(), cache=folder / "cache"
            )
        )
        done = base.extract(paths)
        activations = base.embeddings([done.digests[path] for path in paths])
        pixels = np.asarray(
            catalog.preprocess(
                load_images(paths, SIZE).astype(np.float32), base.recipe.preprocessing
            )
        )
        measure(base, point, activations.reshape(-1, *point.shape), pixels, codes, args.rounds)


def measure(
    base: FrozenBase,
    point: FreezePoint,
    activations: NDArray[np.float32],
    pixels: NDArray[np.float32],
    codes: NDArray[np.int32],
    rounds: int,
) -> None:
    """Train both networks for an epoch, `rounds` times."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    losses: dict[bool, float] = {}
    for i in range(rounds):
        for whole, samples in ((True, pixels), (False, activations)):
            model = network(base, point, samples.shape[1:], whole=whole)
            model.train_on_batch(samples[:BATCH], codes[:BATCH])  # traces and compiles
            model = network(base, point, samples.shape[1:], whole=whole, like=model)
            started = time.perf_counter()
            history = model.fit(samples, codes, batch_size=BATCH, epochs=1, verbose=0).history
            seconds[whole].append(time.perf_counter() - started)
            losses[whole] = history["loss"][0]
        print(
            f"round {i + 1}: whole base {seconds[True][-1]:.1f} s, cut {seconds[False][-1]:.2f} s, "
            f"losses {losses[True]:.6f} and {losses[False]:.6f}",
            flush=True,
        )
    ratios = [a / b for a, b in zip(seconds[True], seconds[False], strict=True)]
    inputs.publish(
        "finetune",
        [
            inputs.Row("an epoch of finetune through the whole base / on cached activations",
                       ratios, promised=">= 5"),
            inputs.Row("difference of the first epoch's loss, relative",
                       [abs(losses[True] - losses[False]) / losses[True]], promised="<= 0.0001"),
            inputs.Row(f"an epoch of {len(codes)} images on cached activations", seconds[False],
                       "s"),
        ],
    )  # fmt: skip


def network(
    base: FrozenBase, point: FreezePoint, shape: tuple[int, ...], *, whole: bool, like: Any = None
) -> Any:
    """Build the network, or reset `like` to its initial weights and optimizer state."""
    keras = import_keras()
    keras.utils.set_random_seed(0)
    trunk = load_base("vgg16", SIZE, base.weights)
    if whole:
        for layer in trunk.layers:
            layer.trainable = layer.name == point.first_trainable
        lower = trunk
    else:
        lower = unfrozen_part(trunk, point)
    head = [
        keras.layers.Flatten(),
        keras.layers.Dense(HIDDEN_UNITS, activation="relu"),
        keras.layers.Dense(2, activation="softmax"),
    ]
    model = keras.Sequential([keras.Input(shape), lower, *head])
    if like is not None:
        like.set_weights(model.get_weights())
        for variable in like.optimizer.variables:
            variable.assign(np.zeros_like(variable))
        like.optimizer.learning_rate = 5e-5
        keras.utils.set_random_seed(0)
        return like
    model.compile(keras.optimizers.Adam(5e-5), "sparse_categorical_crossentropy")
    return model


if __name__ == "__main__":
    main()
