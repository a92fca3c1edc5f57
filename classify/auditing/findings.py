"""Search a data set for wrong data: leaks, copies, suspect labels and outliers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from classify.auditing import duplicates, outliers
from classify.auditing.copies.listing import list_copies
from classify.auditing.known_groups import known_groups
from classify.auditing.label_errors import find_label_errors
from classify.auditing.property_audit import examine_properties
from extract.images.collecting import collect_properties
from extract.images.loading import ReadSettings
from reports.records import Audit, Outlier, Suspect
from toolkit.phases import phase
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from extract.datasets.dataset import Dataset, Item
    from extract.images.properties.record import ImageProperties
    from extract.prepare import Prepared
    from reports.records import PredictionRow
    from toolkit.progress import Progress

STAGE_LABELS = "auditing: judging labels"


@phase("auditing")
def find_wrong_data(
    prepared: Prepared,
    predictions: Sequence[PredictionRow] = (),
    *,
    chosen: str | None = None,
    seed: int = 0,
    reading: ReadSettings = ReadSettings(),
    progress: Progress = silent,
) -> Audit:
    """Search a data set for wrong data, from its embeddings in the cache.

    Parameters
    ----------
    prepared : Prepared
        The images with their embeddings.
    predictions : sequence of PredictionRow, optional
        Of classifiers on the test images. If there are leaks, the accuracy of each classifier is
        also computed without them.
    chosen : str, optional
        The classifier among `predictions` whose weak spots are looked for; by default the model
        that the labels are judged by.
    seed : int, default=0
        Draws folds, permutations and the first centres of clusters.
    reading : ReadSettings, optional
        How image files are read.
    progress : Progress, optional
        Called at every stage.

    Returns
    -------
    Audit

    See Also
    --------
    classify.audit : The same from a data set and an embedder, with data frames as results.
    """
    started = time.monotonic()
    digests = [prepared.extraction.digests[item.path] for item in prepared.dataset.items]
    embeddings = prepared.base.store.read(prepared.base.recipe.fingerprint, digests)
    signatures = duplicates.signatures(embeddings)
    found = list_copies(prepared, signatures, reading=reading, progress=progress)
    suspects, n_wrong, correct = suspects_of(
        prepared.dataset, embeddings.reshape(len(embeddings), -1), progress
    )
    measured = collect_properties(
        {item.path: prepared.extraction.digests[item.path] for item in prepared.dataset.items},
        prepared.base.store,
        reading=reading,
        progress=progress,
    )
    if chosen is not None:
        correct = correct_of(prepared.dataset, predictions, chosen)
    shortcuts, weak_spots = examine_properties(prepared, measured, correct, seed=seed)
    leaked = {leak.test for leak in found.leaks}
    groups, origin = known_groups(prepared.dataset)
    return Audit(
        leaks=found.leaks,
        suspects=suspects,
        outliers=outliers_of(
            prepared.dataset, signatures, [measured.get(digest) for digest in digests]
        ),
        accuracies_without_leaks=accuracies_without(predictions, leaked) if leaked else {},
        seconds=time.monotonic() - started,
        copies=found.copies,
        wrong_labels=n_wrong,
        judged_labels=len(digests),
        shortcuts=shortcuts,
        weak_spots=weak_spots,
        known_groups=groups,
        groups_are_guessed=bool(groups) and not prepared.dataset.has_groups,
        groups_origin=origin,
    )


def accuracies_without(predictions: Sequence[PredictionRow], leaked: set[str]) -> dict[str, float]:
    """Return the accuracy of every classifier on the test images that are not in `leaked`.

    Parameters
    ----------
    predictions : sequence of PredictionRow
        Of any number of classifiers.
    leaked : set of str
        Paths as in `predictions`.

    Returns
    -------
    dict from str to float
        By the name of the classifier; one without other test images is left out.

    Examples
    --------
    >>> from reports.records import PredictionRow
    >>> rows = [PredictionRow("svm", path, "cat", "cat", 0.9) for path in ("a.png", "b.png")]
    >>> accuracies_without(rows, {"a.png"})
    {'svm': 1.0}
    """
    correct: dict[str, list[bool]] = {}
    for row in predictions:
        if row.path not in leaked:
            correct.setdefault(row.classifier, []).append(row.true == row.predicted)
    return {name: sum(flags) / len(flags) for name, flags in correct.items()}


def suspects_of(
    dataset: Dataset, X: NDArray[np.float32], progress: Progress
) -> tuple[list[Suspect], int, NDArray[np.bool_]]:
    """Return the images whose label is doubtful, and how many labels are probably wrong.

    Also return which test images the model predicts correctly.

    The images with the labels that are most probably wrong come first, as many as are wrong by the
    estimate; then those that look like another class.
    """
    progress(STAGE_LABELS, 0, 1)
    items = dataset.items
    labels = np.array([item.label for item in items])
    tests = np.array([item.split == "test" for item in items])
    groups = np.array([item.group for item in items], dtype=object)
    trained, tested = find_label_errors(
        X[~tests], labels[~tests], X[tests], labels[tests], groups[~tests], groups[tests]
    )
    assert tested is not None  # there are test images
    classes = np.unique(labels[~tests])
    wrong, likely = np.empty(len(items)), np.empty(len(items), dtype=np.int64)
    doubtful, by_image = np.empty(len(items), dtype=bool), np.empty((len(items), 2))
    for rows, errors in ((~tests, trained), (tests, tested)):
        wrong[rows], likely[rows] = errors.wrong, errors.likely
        doubtful[rows], by_image[rows] = errors.doubtful, errors.by_features
    n_wrong = round(float(wrong.sum()))
    suspects = []
    for rank, i in enumerate(np.argsort(-wrong, kind="stable")):
        if rank < n_wrong or doubtful[i]:
            item = items[i]
            suspects.append(
                Suspect(
                    path=dataset.relative(item.path),
                    split=str(item.split),
                    label=item.label,
                    likely=str(classes[likely[i]]),
                    probability=float(1 - wrong[i]),
                    wrong=rank < n_wrong,
                    label_by_image=float(by_image[i, 0]),
                    likely_by_image=float(by_image[i, 1]),
                )
            )
    progress(STAGE_LABELS, 1, 1)
    return suspects, n_wrong, ~doubtful[tests]


def correct_of(
    dataset: Dataset, predictions: Sequence[PredictionRow], chosen: str
) -> NDArray[np.bool_]:
    """Return which test images a classifier predicts correctly."""
    correct = {
        row.path: row.true == row.predicted for row in predictions if row.classifier == chosen
    }
    paths = [dataset.relative(path) for path in dataset.test.paths]
    return np.array([correct[path] for path in paths], dtype=bool)


def outliers_of(
    dataset: Dataset,
    signatures: NDArray[np.float32],
    measured: Sequence[ImageProperties | None],
) -> list[Outlier]:
    """Return the images that are unlike all others, nearly uniform or tiny, with the reason."""
    items: Sequence[Item] = dataset.items
    reasons: list[tuple[int, str]] = [
        (i, f"unlike all others: {deviations:.1f} standard deviations from the usual")
        for i, deviations in outliers.far(signatures)
    ]
    for i, known in enumerate(measured):
        reasons += [(i, reason) for reason in outliers.of_little_use(known)] if known else []
    return [
        Outlier(dataset.relative(items[i].path), str(items[i].split), items[i].label, reason)
        for i, reason in reasons
    ]
