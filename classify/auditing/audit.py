"""Looking for wrong data: test images that are in training, copies, suspect labels, odd images."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from classify.auditing import duplicates, outliers
from extract.images.loading import ReadSettings, load_images
from extract.prepare import copies
from reports.picture_records import Audit, Copy, Leak, Outlier, Suspect
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from extract.datasets.dataset import Item
    from extract.prepare import Prepared
    from reports.record import PredictionRow
    from toolkit.progress import Progress

LOOKED_AT_TOGETHER = 500


def audit(
    prepared: Prepared,
    predictions: Sequence[PredictionRow] = (),
    *,
    seed: int = 0,
    reading: ReadSettings = ReadSettings(),
    progress: Progress = silent,
) -> Audit:
    """Look through a data set, from its embeddings in the cache.

    Parameters
    ----------
    prepared : Prepared
        The images with their embeddings.
    predictions : sequence of PredictionRow
        Of classifiers on the test images, whose accuracies without the leaks are told.
    seed : int
        Of the folds in which the labels are judged.
    reading : ReadSettings, optional
        How image files are read.
    progress : Progress
        Told of every stage.

    Returns
    -------
    Audit

    Examples
    --------
    On drawn shapes, with a small network of random weights:

    >>> from tempfile import TemporaryDirectory
    >>> from extract.backbones.catalog import construct
    >>> from extract.options import BaseSettings, Options
    >>> from extract.prepare import find_dataset, prepare
    >>> backbone, scratch = "mobilenet:alpha=0.25", TemporaryDirectory()
    >>> weights = f"{scratch.name}/random.npz"
    >>> np.savez(weights, *construct(backbone, 64).get_weights())
    >>> base = BaseSettings(backbone, size=64, weights=weights, cache=scratch.name)
    >>> options = Options("shapes", base)
    >>> found = audit(prepare(find_dataset(options), options))
    >>> [leak.test for leak in found.leaks if leak.exact]
    []
    """
    started = time.monotonic()
    items = prepared.dataset.items
    digests = [prepared.extraction.digests[item.path] for item in items]
    base = prepared.base
    progress("auditing: near-duplicates", 0, 1)
    rows = base.store.read(base.recipe.fingerprint, digests)
    marks = duplicates.signatures(rows)
    leaks = _leaks(prepared, digests, marks)
    progress("auditing: near-duplicates", 1, 1)
    found = _suspects(prepared, rows.reshape(len(rows), -1), seed, progress)
    odd = _outliers(prepared, marks, reading, progress)
    leaked = {leak.test for leak in leaks}
    return Audit(
        leaks=leaks,
        suspects=found,
        outliers=odd,
        accuracies_without_leaks=accuracies_without(predictions, leaked) if leaked else {},
        seconds=time.monotonic() - started,
        copies=_copies(prepared),
    )


def _leaks(prepared: Prepared, digests: Sequence[str], marks: NDArray[np.float32]) -> list[Leak]:
    """Return the test images that are, byte for byte or nearly, in training too."""
    dataset = prepared.dataset
    train, test = (
        [i for i, item in enumerate(dataset.items) if item.split == split]
        for split in ("train", "test")
    )
    trained_on = {digests[i]: i for i in train}
    names = [dataset.relative(item.path) for item in dataset.items]
    leaks = [
        Leak(names[i], names[trained_on[digests[i]]], 1.0, exact=True)
        for i in test
        if digests[i] in trained_on
    ]
    exact = {leak.test for leak in leaks}
    for i, j, cosine in duplicates.same(marks[test], marks[train]):
        if names[test[i]] not in exact:
            leaks.append(Leak(names[test[i]], names[train[j]], min(cosine, 1.0), exact=False))
    return leaks


def _copies(prepared: Prepared) -> list[Copy]:
    """Return the images that are the same file as an earlier one, those under two labels first."""
    relative = prepared.dataset.relative
    found = [
        Copy(relative(one.path), str(one.split), one.label, relative(first.path), first.label)
        for one, first in copies(prepared.dataset, prepared.extraction.digests)
    ]
    return sorted(found, key=lambda copy: copy.label == copy.of_label)


def _suspects(
    prepared: Prepared, X: NDArray[np.float32], seed: int, progress: Progress
) -> list[Suspect]:
    """Return the images whose label a classifier that has not seen them would not give.

    By the probability of the given label, the least first (self-confidence: Northcutt, Jiang and
    Chuang, Confident Learning, 2021).
    """
    from classify.estimators.logreg import LogReg

    items = prepared.dataset.items
    labels = np.array([item.label for item in items])
    model = LogReg(random_state=seed).fit(X, labels, progress=progress)
    probabilities = model.held_out_proba_
    codes = np.searchsorted(model.classes_, labels)
    given = probabilities[np.arange(len(codes)), codes]
    likely = probabilities.argmax(axis=1)
    order = np.argsort(given, kind="stable")
    return [
        Suspect(
            path=prepared.dataset.relative(items[i].path),
            split=str(items[i].split),
            label=items[i].label,
            likely=str(model.classes_[likely[i]]),
            probability=float(given[i]),
        )
        for i in order
        if likely[i] != codes[i]
    ]


def _outliers(
    prepared: Prepared,
    marks: NDArray[np.float32],
    reading: ReadSettings,
    progress: Progress,
) -> list[Outlier]:
    items: Sequence[Item] = prepared.dataset.items
    paths = [item.path for item in items]
    reasons: list[tuple[int, str]] = [
        (i, f"unlike all others: {deviations:.1f} standard deviations from the usual")
        for i, deviations in outliers.far(marks)
    ]
    stage = "auditing: looking at images"
    progress(stage, 0, len(paths))
    for start in range(0, len(paths), LOOKED_AT_TOGETHER):
        some = paths[start : start + LOOKED_AT_TOGETHER]
        images = load_images(some, outliers.TINY, reading=reading)
        reasons += [
            (start + i, f"nearly uniform: its pixels vary by {spread:.1f} of 255")
            for i, spread in outliers.uniform(images)
        ]
        reasons += [
            (start + i, f"tiny: {width} x {height} pixels")
            for i, (width, height) in outliers.tiny(some, reading)
        ]
        progress(stage, start + len(some), len(paths))
    return [
        Outlier(prepared.dataset.relative(paths[i]), str(items[i].split), items[i].label, reason)
        for i, reason in reasons
    ]


def accuracies_without(predictions: Sequence[PredictionRow], leaked: set[str]) -> dict[str, float]:
    """Return the accuracy of every classifier on the test images whose paths are not in `leaked`.

    Examples
    --------
    >>> from reports.record import PredictionRow
    >>> rows = [PredictionRow("svm", path, "cat", "cat", 0.9) for path in ("a.png", "b.png")]
    >>> accuracies_without(rows, {"a.png"})
    {'svm': 1.0}
    """
    right: dict[str, list[bool]] = {}
    for row in predictions:
        if row.path not in leaked:
            right.setdefault(row.classifier, []).append(row.true == row.predicted)
    return {name: sum(answers) / len(answers) for name, answers in right.items()}
