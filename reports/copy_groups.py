"""Copies as groups of images that belong together on one side of every split."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.picture_records import Copy


def copy_groups(copies: Sequence[Copy]) -> dict[str, str]:
    """Return the group of every image that is a copy or has one.

    Parameters
    ----------
    copies : sequence of Copy
        Copies of copies are in the group of the first image.

    Returns
    -------
    dict from str to str
        Path -> name of the group, sorted by both. A group is named after one of its images, so that
        its name stays when other groups are found.

    Examples
    --------
    >>> from reports.picture_records import Copy
    >>> copies = [Copy(path, "train", "cat", of, "cat") for path, of in ("ba", "cb")]
    >>> copy_groups(copies)
    {'a': 'copies of a', 'b': 'copies of a', 'c': 'copies of a'}
    """
    parents: dict[str, str] = {}

    def first_of(path: str) -> str:
        while (parent := parents.setdefault(path, path)) != path:
            parents[path], path = parents[parent], parent
        return path

    for copy in copies:
        first, second = sorted((first_of(copy.path), first_of(copy.of)))
        parents[second] = first
    groups = {path: f"copies of {first_of(path)}" for path in parents}
    return dict(sorted(groups.items(), key=lambda pair: (pair[1], pair[0])))
