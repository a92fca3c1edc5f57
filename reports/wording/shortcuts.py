"""What predicts the label besides the content of images, and where a classifier fails, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.wording.text import join_names, percent
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records import Run, Shortcut, WeakSpot

NAMED = 3
"""Properties, and weak spots, that a sentence names."""
_OF_SOURCES = ("file", "path", "column")
_CLASSES_NAMED = 2


def shortcuts_of(run: Run) -> list[Shortcut]:
    """Return the shortcuts that a run has found, by an audit if there was one."""
    tested = run.shortcuts if run.audit is None else run.audit.shortcuts
    return [each for each in tested if each.found]


def shortcuts_sentence(found: Sequence[Shortcut]) -> str | None:
    """Say which properties predict the label; None if there are none.

    Parameters
    ----------
    found : sequence of Shortcut
        Those that were found.

    Examples
    --------
    >>> from reports.records import Shortcut
    >>> values = {"cat": "500 x 375", "dog": "640 x 480"}
    >>> size = Shortcut("width and height", "file", 0.84, 0.82, 0.86, 0.5, 0.001, 0.02, True, 2000)
    >>> print(shortcuts_sentence([size]))  # doctest: +NORMALIZE_WHITESPACE
    Width and height alone predict the label of 84.0% of the training images (chance 50.0%): the
    classes come from different sources, and a classifier may have learned those instead of what
    the images show.
    """
    alone = [each for each in found if each.origin != "all"]
    if not found:
        return None
    if not alone:
        (together,) = found
        return (
            "How the files are stored and how the pictures look, without what they show, predicts "
            f"the label of {percent(together.accuracy)} of the training images (chance "
            f"{percent(together.chance)}); no property does so alone."
        )
    alone.sort(key=lambda each: -each.accuracy)
    first, others = alone[0], alone[1:NAMED]
    verb = "predict" if " and " in first.property else "predicts"
    text = (
        f"{_upper(first.property)} alone {verb} the label of {percent(first.accuracy)} of the "
        f"training images (chance {percent(first.chance)})"
    )
    if others:
        text += ", " + join_names(
            [f"{each.property} of {percent(each.accuracy)}" for each in others]
        )
    more = len(alone) - 1 - len(others)
    text += f", and {plural(more, 'further property', 'further properties')} likewise" * bool(more)
    if any(each.origin in _OF_SOURCES for each in alone):
        return (
            f"{text}: the classes come from different sources, and a classifier may have learned "
            "those instead of what the images show."
        )
    return (
        f"{text}: this may be what the classes look like, or how their images were taken; a "
        "classifier may have learned the latter."
    )


def properties_sentences(run: Run) -> list[str]:
    """Return the sentences on shortcuts and on weak spots of a run, as far as there are any."""
    spots = run.audit.weak_spots if run.audit else []
    sentences = [
        shortcuts_sentence(shortcuts_of(run)),
        weak_spots_sentence(spots),
        _not_examined(run),
    ]
    return [sentence for sentence in sentences if sentence]


def _not_examined(run: Run) -> str | None:
    tested = run.shortcuts if run.audit is None else run.audit.shortcuts
    if tested or run.data.groups is None or not run.data.root:
        return None
    return (
        "Whether anything but the content of the images predicts the label was not examined: that "
        "takes at least 20 groups of two classes."
    )


def values_of_classes(shortcut: Shortcut) -> str:
    """Say what is typical of the first classes.

    Examples
    --------
    >>> from reports.records import Shortcut
    >>> values = {"cat": "60", "dog": "95"}
    >>> values_of_classes(
    ...     Shortcut("JPEG quality", "file", 1, 1, 1, 0.5, 0.001, 0.02, True, 9, values)
    ... )
    'cat: 60, dog: 95'
    """
    named = [f"{label}: {value}" for label, value in shortcut.typical.items()]
    more = len(named) - _CLASSES_NAMED * 2
    return ", ".join(named[: _CLASSES_NAMED * 2]) + (", ..." if more > 0 else "")


def weak_spots_sentence(spots: Sequence[WeakSpot]) -> str | None:
    """Say where fewer test images are classified correctly; None if nowhere.

    Parameters
    ----------
    spots : sequence of WeakSpot
        All that were judged.

    Examples
    --------
    >>> from reports.records import WeakSpot
    >>> spot = WeakSpot(
    ...     "column", "site", "Bonn", 40, 20, 0.5, 0.35, 0.65, 0.98, 1e-9, 1e-7, True
    ... )
    >>> print(weak_spots_sentence([spot]))  # doctest: +NORMALIZE_WHITESPACE
    It fails more often where site is Bonn: 50.0% of 40 test images are correct (95% interval 35.0%
    to 65.0%), 98.0% elsewhere.
    """
    found = [spot for spot in spots if spot.found]
    if not found:
        return None
    worst = min(found, key=lambda spot: spot.accuracy_high)
    text = (
        f"It fails more often {_where(worst)}: {percent(worst.accuracy)} of "
        f"{plural(worst.n_test, 'test image')} are correct (95% interval "
        f"{percent(worst.accuracy_low)} to {percent(worst.accuracy_high)}), "
        f"{percent(worst.elsewhere)} elsewhere"
    )
    more = len(found) - 1
    return f"{text}; {plural(more, 'more weak spot')}." if more else f"{text}."


def weak_spot_title(spot: WeakSpot) -> str:
    """Say which test images a weak spot is about."""
    return f"{spot.name}: {spot.value}"


def _where(spot: WeakSpot) -> str:
    if spot.kind == "cluster":
        return f"in a group of similar images ({spot.value})"
    return f"where {spot.name} is {spot.value}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
