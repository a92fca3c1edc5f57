"""Images that belong together on one side of every split, as an audit has found them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.records import Audit, Copy


def groups_to_keep_together(audit: Audit) -> dict[str, str]:
    """Return the group of every image that belongs to others, by all that an audit has found.

    Parameters
    ----------
    audit : Audit

    Returns
    -------
    dict from str to str
        Path -> name of the group. Empty if there is nothing that the data did not say.
    """
    groups = copy_groups(audit.copies, audit.known_groups)
    adds_nothing = not audit.groups_are_guessed and groups == audit.known_groups
    return {} if adds_nothing else groups


def copy_groups(copies: Sequence[Copy], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the group of every image that is a copy, has one, or is known to be in a group.

    Parameters
    ----------
    copies : sequence of Copy
        Copies of copies are in the group of the first image.
    known : mapping of str to str, optional
        Path -> group. Groups with copies of one image in them become one.

    Returns
    -------
    dict from str to str
        Path -> name of the group, sorted by both. A group is named after a known one, or else after
        one of its images, so that its name stays when other groups are found.

    Examples
    --------
    >>> from reports.records import Copy
    >>> copies = [Copy(path, "train", "cat", of, "cat") for path, of in ("ba", "cb")]
    >>> copy_groups(copies)
    {'a': 'copies of a', 'b': 'copies of a', 'c': 'copies of a'}
    >>> copy_groups(copies, {"a": "tom", "z": "tom"})
    {'a': 'tom', 'b': 'tom', 'c': 'tom', 'z': 'tom'}
    """
    known = known or {}
    parents: dict[str, str] = {}

    def first_of(path: str) -> str:
        while (parent := parents.setdefault(path, path)) != path:
            parents[path], path = parents[parent], parent
        return path

    def unite(one: str, other: str) -> None:
        first, second = sorted((first_of(one), first_of(other)))
        parents[second] = first

    of_group: dict[str, str] = {}
    for path, name in known.items():
        unite(path, of_group.setdefault(name, path))
    for copy in copies:
        unite(copy.path, copy.of)
    names: dict[str, set[str]] = defaultdict(set)
    for name, path in of_group.items():
        names[first_of(path)].add(name)
    groups = {}
    for path in parents:
        first = first_of(path)
        groups[path] = min(names[first]) if names[first] else f"copies of {first}"
    return dict(sorted(groups.items(), key=lambda pair: (pair[1], pair[0])))
