"""Which images a classifier predicts correctly in one run and wrongly in another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reports.pages.comparison import group_by_classifier, labels
from reports.pages.thumbnails import EmbeddedImages, installed_thumbnails
from reports.wording.differences import SIGNIFICANT, format_p_value
from reports.wording.text import percent
from toolkit.statistics import holm, mcnemar, paired_permutation
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reports.pages.thumbnails import OpenThumbnails
    from reports.records import PredictionRow, Run

    Labels = Mapping[tuple[str, str], str]
    """Predicted class of each image, which is identified by its path and its true class."""
    Groups = Mapping[str, str]
    """Group of each image that has one, by its path."""

THUMBNAIL_SIZE = 96
SHOWN = 48
"""Number of images of each kind that are shown, so that the page stays small."""


@dataclass(frozen=True)
class ChangedImage:
    """An image that two runs predict differently; `image` is its thumbnail in Base64."""

    path: str
    true: str
    wrong: str
    """The class that the run with the wrong prediction predicts."""
    image: str | None


@dataclass(frozen=True)
class ClassifierChange:
    """One classifier in a later run and in the first run that has it, on images of both."""

    title: str
    first: str
    second: str
    n_images: int
    n_correct: tuple[int, int]
    """In the first run, and in the second."""
    n_gained: int
    n_lost: int
    gained: list[ChangedImage]
    """The first `SHOWN` images that were wrong and are correct now."""
    lost: list[ChangedImage]
    by_groups: bool
    """Whether images of both runs come in groups, so that groups are compared."""
    p_value: float
    """Of McNemar's exact test, or of the permutation test of groups."""
    p_adjusted: float = 1.0
    """The same, adjusted for the number of comparisons on the page (Holm)."""

    @property
    def sentence(self) -> str:
        """What changed, and whether it is significant."""
        before, after = (percent(correct / self.n_images) for correct in self.n_correct)
        images = plural(self.n_images, "image")
        if not self.n_gained + self.n_lost:
            return f"the same predictions are correct, {after} of {images}"
        significance = "significant" if self.p_adjusted < SIGNIFICANT else "not significant"
        adjusted = "" if self.p_adjusted == self.p_value else ", adjusted"
        return (
            f"{before} to {after} of {images} with the same label in both runs: "
            f"{self.n_gained:,} gained, {self.n_lost:,} lost; {significance} "
            f"({format_p_value(self.p_adjusted)}{adjusted})"
        )


def changed_predictions(
    runs: Sequence[tuple[Path, Run]],
    predictions: Sequence[Sequence[PredictionRow]],
    groups: Sequence[Groups] = (),
    thumbnails: OpenThumbnails = installed_thumbnails,
) -> list[ClassifierChange]:
    """Compare the predictions of every classifier between runs.

    Parameters
    ----------
    runs : sequence of (pathlib.Path, Run)
        Folder and record of each run.
    predictions : sequence of sequences of PredictionRow
        Predictions of each run; a run without any is skipped. Images are the same if their paths
        below the folder of the data and their true classes are.
    groups : sequence of mapping of str to str, optional
        The group of each image of each run, by its path, as far as it has one. An image has the
        group that the later run says, or else the first one.
    thumbnails : callable, optional
        Opens a maker of thumbnails; by default the installed one.

    Returns
    -------
    list of ClassifierChange
        A later run is compared with the first run that has the classifier, if they share images.
    """
    names = labels([folder for folder, _ in runs])
    predicted = {
        name: _by_classifier(rows) for name, rows in zip(names, predictions, strict=True) if rows
    }
    groups_of = dict(zip(names, groups or [{}] * len(names), strict=True))
    roots = {name: run.data.root for name, (_, run) in zip(names, runs, strict=True)}
    changes = []
    with thumbnails() as thumbnail:
        for group in group_by_classifier(runs):
            having = [
                name for name, _ in group.results if group.classifier in predicted.get(name, {})
            ]
            for later in having[1:]:
                change = _change(
                    group.title,
                    (having[0], later),
                    [predicted[name][group.classifier] for name in (having[0], later)],
                    {**groups_of[having[0]], **groups_of[later]},
                    EmbeddedImages(roots[later], thumbnail),
                )
                if change is not None:
                    changes.append(change)
    adjusted = holm([change.p_value for change in changes])
    return [replace(change, p_adjusted=p) for change, p in zip(changes, adjusted, strict=True)]


def _by_classifier(rows: Sequence[PredictionRow]) -> dict[str, dict[tuple[str, str], str]]:
    predicted: dict[str, dict[tuple[str, str], str]] = {}
    for row in rows:
        predicted.setdefault(row.classifier, {})[row.path, row.true] = row.predicted
    return predicted


def _change(
    title: str,
    names: tuple[str, str],
    predicted: Sequence[Labels],
    groups: Groups,
    images: EmbeddedImages,
) -> ClassifierChange | None:
    before, after = predicted
    common = [key for key in before if key in after]
    if not common:
        return None
    gained = [key for key in common if before[key] != key[1] == after[key]]
    lost = [key for key in common if before[key] == key[1] != after[key]]

    def changed(keys: Sequence[tuple[str, str]], wrong: Labels) -> list[ChangedImage]:
        return [
            ChangedImage(path, true, wrong[path, true], images(path, THUMBNAIL_SIZE))
            for path, true in keys[:SHOWN]
        ]

    return ClassifierChange(
        title,
        *names,
        len(common),
        (
            sum(before[key] == key[1] for key in common),
            sum(after[key] == key[1] for key in common),
        ),
        len(gained),
        len(lost),
        changed(gained, before),
        changed(lost, after),
        by_groups=any(path in groups for path, _ in common),
        p_value=_p_value(gained, lost, groups),
    )


def _p_value(
    gained: Sequence[tuple[str, str]], lost: Sequence[tuple[str, str]], groups: Groups
) -> float:
    """Return the p-value of McNemar's test, or of the permutation test if images have groups."""
    if not any(path in groups for path, _ in [*gained, *lost]):
        return mcnemar(len(lost), len(gained))
    differences: Counter[object] = Counter()
    for keys, sign in ((gained, 1), (lost, -1)):
        for key in keys:
            differences[groups.get(key[0], key)] += sign
    return paired_permutation(list(differences.values()))
