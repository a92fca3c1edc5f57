"""How many groups of images that belong together a run has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.wording import plural

if TYPE_CHECKING:
    from reports.records import Data


def groups_phrase(data: Data) -> str:
    """Return the number of groups, where they come from, and how they are split.

    Examples
    --------
    >>> from reports.records import Data
    >>> groups_phrase(Data("pets", "", ["a", "b"], [40, 40], [10, 10], "given", "0" * 64,
    ...                    group_origin="column animal", groups=30, train_groups=24, test_groups=6))
    '30 groups (column animal), 24 to train and 6 to test'
    """
    phrase = f"{plural(data.groups or 0, 'group')} ({data.group_origin})"
    if data.train_groups is not None and data.test_groups is not None:
        phrase += f", {data.train_groups:,} to train and {data.test_groups:,} to test"
    if data.cut_groups:
        images = plural(data.cut_test_images, "test image")
        phrase += f", {data.cut_groups:,} of them on both sides, with {images}"
    return phrase
