"""Arrange copies of copies as trees: what each picture is a copy of."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


def parents(pairs: Iterable[tuple[int, int, T]]) -> dict[int, tuple[int, T]]:
    """Return one picture that each copy is a copy of, nearer to the first of them all.

    Parameters
    ----------
    pairs : iterable of (int, int, T)
        Positions of two pictures of which one is a copy of the other, and what is known about both.

    Returns
    -------
    dict from int to (int, T)
        For every picture of a cluster but the first: another one of the cluster, and the pair's T.
        Each is as few steps from the first as possible. Sorted by picture.

    Examples
    --------
    >>> parents([(1, 2, "turned"), (0, 1, "cropped"), (5, 9, "grey")])
    {1: (0, 'cropped'), 2: (1, 'turned'), 9: (5, 'grey')}
    """
    neighbours: dict[int, list[tuple[int, T]]] = {}
    for one, other, known in pairs:
        neighbours.setdefault(one, []).append((other, known))
        neighbours.setdefault(other, []).append((one, known))
    reached: dict[int, tuple[int, T]] = {}
    seen: set[int] = set()
    for first in sorted(neighbours):
        if first in seen:
            continue
        seen.add(first)
        waiting = deque([first])
        while waiting:
            current = waiting.popleft()
            for other, known in neighbours[current]:
                if other not in seen:
                    seen.add(other)
                    reached[other] = (current, known)
                    waiting.append(other)
    return dict(sorted(reached.items()))
