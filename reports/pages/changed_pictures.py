"""Which pictures a classifier gets right in one run and wrong in another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reports.pages.comparison import groups, labels
from reports.pages.thumbnails import EmbeddedImages, installed_thumbnails
from reports.wording.differences import SIGNIFICANT, probability
from reports.wording.text import count, percent
from toolkit.statistics import holm, mcnemar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reports.pages.thumbnails import OpenThumbnails
    from reports.record import PredictionRow, Run

THUMBNAIL_SIZE = 96
SHOWN = 48
"""At most so many pictures of a kind, so that the page stays small."""


@dataclass(frozen=True)
class Moved:
    """A picture on which two runs differ; `image` is its thumbnail in Base64."""

    path: str
    true: str
    said: str
    """What the run that is wrong takes it for."""
    image: str | None


@dataclass(frozen=True)
class Sides:
    """One classifier in a later run against the first one that has it, on pictures of both."""

    title: str
    first: str
    second: str
    n_pictures: int
    n_right: tuple[int, int]
    """In the first run, and in the second."""
    n_gained: int
    n_lost: int
    gained: list[Moved]
    """The first `SHOWN` pictures that were wrong and are right."""
    lost: list[Moved]
    p_adjusted: float = 1.0
    """Of McNemar's exact test, adjusted for how many such comparisons a page has (Holm)."""

    @property
    def sentence(self) -> str:
        """What moved, and whether it is more than chance."""
        before, after = (right / self.n_pictures for right in self.n_right)
        chance = "more than chance" if self.p_adjusted < SIGNIFICANT else "may be chance"
        if not self.n_gained + self.n_lost:
            return f"the same pictures right, {percent(after)} of {count(self.n_pictures)}"
        return (
            f"{percent(before)} to {percent(after)} of the {count(self.n_pictures)} pictures of "
            f"both: {count(self.n_gained)} gained, {count(self.n_lost)} lost; "
            f"{chance} ({probability(self.p_adjusted)})"
        )


def changed_sides(
    runs: Sequence[tuple[Path, Run]],
    predictions: Sequence[Sequence[PredictionRow]],
    thumbnails: OpenThumbnails = installed_thumbnails,
) -> list[Sides]:
    """Return, for every classifier of several runs, which pictures changed sides.

    Parameters
    ----------
    runs : sequence of (pathlib.Path, Run)
        Folder and record of each run.
    predictions : sequence of sequences of PredictionRow
        Those of each run; a run without any is passed over. Pictures are the same if their paths
        below the data's folder and their labels are.
    thumbnails : callable, optional
        Opens a maker of thumbnails; by default the installed one.

    Returns
    -------
    list of Sides
        A later run is held against the first that has the classifier; runs without a common
        picture are not.
    """
    names = labels([folder for folder, _ in runs])
    said = {
        name: _by_classifier(rows) for name, rows in zip(names, predictions, strict=True) if rows
    }
    roots = {name: run.data.root for name, (_, run) in zip(names, runs, strict=True)}
    found = []
    with thumbnails() as thumbnail:
        for group in groups(runs):
            having = [name for name, _ in group.results if group.classifier in said.get(name, {})]
            for later in having[1:]:
                sides = _between(
                    group.title,
                    (having[0], later),
                    [said[name][group.classifier] for name in (having[0], later)],
                    EmbeddedImages(roots[later], thumbnail),
                )
                if sides is not None:
                    found.append(sides)
    adjusted = holm([mcnemar(sides.n_lost, sides.n_gained) for sides in found])
    return [replace(sides, p_adjusted=p) for sides, p in zip(found, adjusted, strict=True)]


def _by_classifier(rows: Sequence[PredictionRow]) -> dict[str, dict[tuple[str, str], str]]:
    """Return what each classifier says of each picture, which is known by its path and label."""
    found: dict[str, dict[tuple[str, str], str]] = {}
    for row in rows:
        found.setdefault(row.classifier, {})[row.path, row.true] = row.predicted
    return found


def _between(
    title: str,
    names: tuple[str, str],
    said: Sequence[dict[tuple[str, str], str]],
    images: EmbeddedImages,
) -> Sides | None:
    before, after = said
    common = [key for key in before if key in after]
    if not common:
        return None
    gained = [key for key in common if before[key] != key[1] == after[key]]
    lost = [key for key in common if before[key] == key[1] != after[key]]

    def moved(keys: Sequence[tuple[str, str]], wrong: dict[tuple[str, str], str]) -> list[Moved]:
        return [
            Moved(path, true, wrong[path, true], images(path, THUMBNAIL_SIZE))
            for path, true in keys[:SHOWN]
        ]

    return Sides(
        title,
        *names,
        len(common),
        (
            sum(before[key] == key[1] for key in common),
            sum(after[key] == key[1] for key in common),
        ),
        len(gained),
        len(lost),
        moved(gained, before),
        moved(lost, after),
    )
