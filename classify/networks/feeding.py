"""Train and predict with Keras: arrays as they are, rows on disk in batches."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.estimators.rows import BATCH_BYTES, RowsOnDisk, batches
from classify.estimators.solvers.gram import scale_of, squared_norms
from classify.networks.samples import Samples
from toolkit.libraries import import_keras, import_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

BLOCK_BYTES = 2**18
"""Size of a block of consecutive rows, which is read at once: 8 rows of 8,192 numbers."""
BUFFER_BYTES = 2**27
"""Size of the blocks whose rows are shuffled together: 512 of them."""


def scaled_to_unit_norm(
    X: RowsOnDisk, report: Callable[[int, int], None]
) -> tuple[RowsOnDisk, float]:
    """Scale rows on disk, when they are read, to unit mean squared norm.

    Parameters
    ----------
    X : RowsOnDisk
    report : callable
        Called with the number of rows that are read, and of all.

    Returns
    -------
    scaled : RowsOnDisk
    scale : float
        The factor; see `classify.estimators.solvers.gram.unit_scale`.

    Raises
    ------
    ClassifierError
        If all features are zero, or their squares overflow.

    Examples
    --------
    >>> rows = RowsOnDisk(lambda keys: np.array([[3, 4], [0, 5]], "f4")[list(map(int, keys))], "01")
    >>> scaled, scale = scaled_to_unit_norm(rows, lambda done, total: None)
    >>> scale, scaled[np.array([1])].round(3).tolist()
    (0.2, [[0.0, 1.0]])
    """
    squares = 0.0
    for positions, rows in batches(X, np.arange(len(X))):
        squares += float(squared_norms(rows).sum(dtype=np.float64))
        report(int(positions[-1]) + 1, len(X))
    scale = scale_of(squares / len(X))
    factor, read = np.float32(scale), X.read
    return dataclasses.replace(X, read=lambda keys: read(keys) * factor), scale


def shuffled_blocks(
    n_samples: int, block: int, buffer: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return positions in an order that is nearly random, and reads blocks of consecutive rows.

    Parameters
    ----------
    n_samples : int
    block : int
        Number of consecutive rows that stay together until they are in the buffer.
    buffer : int
        Number of rows that are shuffled together. If it is not less than `n_samples`, every order
        is equally likely.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of intp, shape (n_samples,)
        Every `buffer` positions are those of blocks drawn from all of them, in random order.

    Examples
    --------
    >>> order = shuffled_blocks(12, 2, 6, np.random.default_rng(0))
    >>> order.tolist(), [sorted(half.tolist()) for half in np.split(order, 2)]
    ([10, 11, 7, 4, 6, 5, 1, 0, 8, 3, 2, 9], [[4, 5, 6, 7, 10, 11], [0, 1, 2, 3, 8, 9]])
    """
    starts = rng.permutation(math.ceil(n_samples / block)) * block
    order = (starts[:, np.newaxis] + np.arange(block)).ravel()
    order = order[order < n_samples]
    for start in range(0, n_samples, buffer):
        rng.shuffle(order[start : start + buffer])
    return order


@dataclass
class DiskBatches:
    """Batches of rows on disk with their classes; each iteration is an epoch.

    Rows lie on disk in the order of the data set, which is often that of the classes. For training,
    every epoch reads small blocks of consecutive rows, drawn at random from all of them, into a
    buffer of 128 MB, and takes its batches at random from there. The seed and the number of the
    epoch decide the order. Without a seed, rows are read in order.

    Parameters
    ----------
    X : RowsOnDisk, shape (n_samples, n_features)
    codes : ndarray of int64, shape (n_samples,)
        Classes.
    batch_size : int
    seed : int, default=None
        Shuffles the rows.

    Attributes
    ----------
    error : Exception or None
        What has ended the reading. TensorFlow raises an error of its own instead.
    """

    X: RowsOnDisk
    codes: NDArray[np.int64]
    batch_size: int
    seed: int | None = None

    def __post_init__(self) -> None:
        self.error: Exception | None = None
        row_bytes = np.dtype(np.float32).itemsize * self.X.shape[1]
        buffer_bytes = BATCH_BYTES if self.seed is None else BUFFER_BYTES
        n_batches = max(1, buffer_bytes // (row_bytes * self.batch_size))
        self._block = max(1, BLOCK_BYTES // row_bytes)
        self._buffer_size = min(n_batches, len(self)) * self.batch_size
        self._epochs = itertools.count()

    def __len__(self) -> int:
        return math.ceil(len(self.X) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        """Yield the batches of the next epoch: rows, and their classes.

        Errors are those of `X`, and kept in `error`.
        """
        order = self._order(next(self._epochs))
        # Not an attribute, because TensorFlow never lets go of this object.
        buffer = np.empty((self._buffer_size, self.X.shape[1]), np.float32)
        for start in range(0, len(order), self._buffer_size):
            part = order[start : start + self._buffer_size]
            try:
                on_disk = self._fill(buffer, np.sort(part))
            except Exception as error:
                self.error = error
                raise
            for first in range(0, len(part), self.batch_size):
                positions = part[first : first + self.batch_size]
                rows = buffer[np.searchsorted(on_disk, positions)]
                yield rows, self.codes[positions].astype(np.int32)

    def _order(self, epoch: int) -> NDArray[np.intp]:
        if self.seed is None:
            return np.arange(len(self.X))
        rng = np.random.default_rng([self.seed, epoch])
        return shuffled_blocks(len(self.X), self._block, self._buffer_size, rng)

    def _fill(self, buffer: NDArray[np.float32], positions: NDArray[np.intp]) -> NDArray[np.intp]:
        """Read rows into the buffer, a few at a time; return their positions."""
        filled = 0
        for _, rows in batches(self.X, positions):
            buffer[filled : filled + len(rows)] = rows
            filled += len(rows)
        return positions


def fit(
    model: Any,
    train: Samples,
    validation: Samples | None,
    *,
    batch_size: int,
    seed: int,
    **arguments: Any,
) -> dict[str, list[float]]:
    """Train a Keras model on samples in memory or on disk.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    train : Samples
    validation : Samples, optional
        For `val_loss` and `val_accuracy` after every epoch.
    batch_size : int
        Samples per training step.
    seed : int
        Shuffles samples on disk. Those in memory are shuffled by Keras.
    **arguments
        Of `keras.Model.fit`.

    Returns
    -------
    dict of str to list of float
        The history: one value per epoch.

    Raises
    ------
    Exception
        What reading the rows raises.
    """
    with contextlib.ExitStack() as stack:
        of_train = stack.enter_context(_given(train, batch_size, seed))
        validation_data = None
        if validation is not None:
            found = stack.enter_context(_given(validation, batch_size))
            validation_data = (found["x"], found["y"]) if "y" in found else found["x"]
        history = model.fit(
            **of_train,
            shuffle=not isinstance(train.X, RowsOnDisk),
            validation_data=validation_data,
            verbose=0,
            **arguments,
        ).history
    return {name: [float(value) for value in history[name]] for name in sorted(history)}


def predict(model: Any, X: NDArray[Any] | RowsOnDisk, batch_size: int) -> NDArray[np.float32]:
    """Return what a Keras model predicts, float32 ``(n_samples, n_classes)``.

    Parameters
    ----------
    model : keras.Model
    X : ndarray or RowsOnDisk
    batch_size : int

    Raises
    ------
    Exception
        What reading the rows raises.
    """
    with _given(Samples(X, np.zeros(len(X), np.int64)), batch_size) as found:
        found.pop("y", None)
        predicted: NDArray[np.float32] = model.predict(**found, verbose=0)
    return predicted


@contextlib.contextmanager
def _given(samples: Samples, batch_size: int, seed: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the arguments that give samples to Keras; raise what has ended their reading."""
    if not isinstance(samples.X, RowsOnDisk):
        codes = samples.codes.astype(np.int32)
        yield {"x": samples.X, "y": codes, "batch_size": batch_size}
        return
    of_disk = DiskBatches(samples.X, samples.codes, batch_size, seed)
    try:
        yield {"x": _as_dataset(of_disk)}
    except Exception as error:
        if of_disk.error is not None:
            raise of_disk.error from error
        raise


def _as_dataset(of_disk: DiskBatches) -> Any:
    """Return a `tf.data.Dataset`, which unlike a `keras.utils.PyDataset` holds no batches ready.

    A hundred of those would take more memory than the buffer.
    """
    tf = import_tensorflow()
    options = tf.data.Options()
    options.autotune.enabled = False
    signature = (
        tf.TensorSpec((None, of_disk.X.shape[1]), tf.float32),
        tf.TensorSpec((None,), tf.int32),
    )
    dataset = tf.data.Dataset.from_generator(of_disk.__iter__, output_signature=signature)
    known = tf.data.experimental.assert_cardinality(len(of_disk))
    return dataset.apply(known).with_options(options)


def reporter(report: Callable[[int, int], None]) -> Any:
    """Return a Keras callback that calls `report` with the steps done and in total."""

    class Reporter(import_keras().callbacks.Callback):  # type: ignore[misc]  # Keras has no types
        done = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            self.done += 1
            report(self.done, self.params["epochs"] * self.params["steps"])

    return Reporter()
