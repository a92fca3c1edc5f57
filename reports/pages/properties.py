"""What predicts the label besides the content of images, and where the classifier fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.pages.thumbnails import NO_IMAGES
from reports.wording.shortcuts import (
    shortcuts_sentence,
    values_of_classes,
    weak_spot_title,
    weak_spots_sentence,
)

if TYPE_CHECKING:
    from reports.pages.thumbnails import EmbeddedImages
    from reports.records import Run, Shortcut, WeakSpot

SHORTCUTS_SHOWN, WEAK_SPOTS_SHOWN = 12, 12
"""Rows of each table; those that are found are always shown."""
WITH_IMAGES = 5
"""Weak spots that are shown with their images."""
THUMBNAIL_SIZE = 96


@dataclass(frozen=True)
class ShortcutView:
    """A property with what is typical of the classes."""

    shortcut: Shortcut
    values: str


@dataclass(frozen=True)
class WeakSpotView:
    """Test images with something in common, some of them as path and thumbnail in Base64."""

    spot: WeakSpot
    title: str
    images: list[tuple[str, str | None]]


@dataclass(frozen=True)
class PropertiesView:
    """The properties of images that an audit has tested, and the groups that it has judged."""

    shortcuts_summary: str
    shortcuts: list[ShortcutView]
    n_shortcuts: int
    weak_spots_summary: str
    weak_spots: list[WeakSpotView]
    n_weak_spots: int


def properties_view(run: Run, images: EmbeddedImages = NO_IMAGES) -> PropertiesView | None:
    """Return what a run's audit says about the properties of its images, or None without it.

    Parameters
    ----------
    run : Run
    images : EmbeddedImages, optional
        Images of the run. By default none are shown.
    """
    audit = run.audit
    if audit is None or not (audit.shortcuts or audit.weak_spots):
        return None
    n_found = sum(each.found for each in audit.shortcuts)
    n_weak = sum(spot.found for spot in audit.weak_spots)
    shortcuts = audit.shortcuts[: max(SHORTCUTS_SHOWN, n_found)]
    spots = audit.weak_spots[: max(WEAK_SPOTS_SHOWN, n_weak)]
    return PropertiesView(
        shortcuts_sentence([each for each in audit.shortcuts if each.found])
        or "No property of the images predicts the label by enough to matter.",
        [ShortcutView(each, values_of_classes(each)) for each in shortcuts],
        len(audit.shortcuts),
        weak_spots_sentence(audit.weak_spots)
        or "It fails nowhere more often than elsewhere by enough to matter.",
        [
            WeakSpotView(
                spot,
                weak_spot_title(spot),
                [(path, images(path, THUMBNAIL_SIZE)) for path in spot.paths]
                if spot.found and i < WITH_IMAGES
                else [],
            )
            for i, spot in enumerate(spots)
        ],
        len(audit.weak_spots),
    )
