"""Looking after a cache: verify and repair it, make room, empty it.

Nothing here takes away what a running command reads: shards used since the oldest running command
began stay.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cache.console import Progress, silent
from cache.database import set_aside
from cache.errors import CorruptCacheError
from cache.index import checksum
from cache.locks import Lease

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cache.index import NamedRow, ShardEntry
    from cache.store import Store

_SECONDS_UNTIL_ABANDONED = 3600.0
"""A file in the shards' folder that the index does not name is surely nobody's after this."""


@dataclass
class Verification:
    """What `verify` found.

    Parameters
    ----------
    shards, rows, bytes : int
        How much was read.
    problems : list of str
        One sentence for each thing that is not what was committed; empty when all is well.
    leftovers : int
        Unfinished or unnamed files of killed runs; they do no harm, and `sweep` removes them.
    """

    shards: int = 0
    rows: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)
    leftovers: int = 0


def verify(store: Store, *, repair: bool = False, progress: Progress = silent) -> Verification:
    """Read every byte that the index names, and the index, and compare with what was committed.

    Parameters
    ----------
    store : Store
        The cache.
    repair : bool
        Drop what is bad, so that the next run computes it again. An index whose pages are damaged
        is set aside as a whole.
    progress : Progress
        Told of the stage "verifying shards".

    Returns
    -------
    Verification
        With the problems as they were before the repair.
    """
    problems = [f"the index: {line}" for line in store.database.problems()]
    if problems:
        if repair:
            set_aside(store.database.path, "damaged")
        return Verification(problems=problems)
    found = Verification()
    found.problems += [f"the index: {line}" for line in store.index.damaged()]
    found.problems += [
        f"the index: the memo of {path!r} is not what was written" for path in store.memo.damaged()
    ]
    if repair:
        delete(store, store.index.forget_damaged())
        store.memo.forget(store.memo.damaged())
    shards = store.index.shards()
    for done, shard in enumerate(shards):
        progress("verifying shards", done, len(shards))
        _verify_shard(store, shard, found, repair)
    progress("verifying shards", len(shards), len(shards))
    found.leftovers = len(_leftovers(store))
    return found


def prune(
    store: Store,
    *,
    older_than: float | None = None,
    fingerprint: str | None = None,
    max_bytes: int | None = None,
    dry_run: bool = False,
) -> list[ShardEntry]:
    """Make room: delete the shards that were used least recently.

    Parameters
    ----------
    store : Store
        The cache.
    older_than : float, optional
        Only shards not used for so many seconds.
    fingerprint : str, optional
        Only shards of this recipe.
    max_bytes : int, optional
        Only until the shards that are left take no more than so many bytes.
    dry_run : bool
        Delete nothing.

    Returns
    -------
    list of ShardEntry
        What was, or would be, deleted. Shards that a running command may be reading are not.
    """
    running_since = Lease.oldest(store.folder / "leases", besides=store.lease)
    before = [moment for moment in (running_since,) if moment is not None]
    if older_than is not None:
        before.append(time.time() - older_than)
    limit = min(before, default=None)
    used = store.index.shards_by_use(fingerprint)
    chosen = [shard for shard, moment in used if limit is None or moment < limit]
    if max_bytes is not None:
        chosen = _oldest_above(
            chosen, [shard for shard, _ in store.index.shards_by_use()], max_bytes
        )
    if dry_run:
        return chosen
    dropped = store.index.forget_shards(chosen, unless_used_since=limit)
    delete(store, dropped)
    return dropped


def clear(store: Store, fingerprint: str | None = None) -> list[ShardEntry]:
    """Delete all embeddings, or those of one recipe; return the shards deleted."""
    dropped = store.index.forget_recipe(fingerprint)
    delete(store, dropped)
    sweep(store)
    return dropped


def sweep(store: Store) -> None:
    """Delete the files that killed runs have left, once they are surely nobody's."""
    abandoned = []
    for path in _leftovers(store):
        try:
            if time.time() - path.stat().st_mtime > _SECONDS_UNTIL_ABANDONED:
                abandoned.append(path)
        except FileNotFoundError:
            continue
    store.index.delete_unnamed(
        [path.stem for path in abandoned if path.suffix], store.shards.delete
    )
    for path in abandoned:
        if not path.suffix:
            path.unlink(missing_ok=True)


def delete(store: Store, shards: Iterable[ShardEntry]) -> None:
    """Delete the files of shards that the index names no more."""
    store.index.delete_unnamed([shard.name for shard in shards], store.shards.delete)


def _verify_shard(store: Store, shard: ShardEntry, found: Verification, repair: bool) -> None:
    path, rows = store.shards.path(shard.name), store.index.rows_of(shard)
    found.shards, found.rows, found.bytes = (
        found.shards + 1,
        found.rows + len(rows),
        found.bytes + shard.bytes,
    )
    if not store.shards.intact(shard.name):
        found.problems.append(
            f"{path} is missing, or its bytes are not the ones that it is named by"
        )
        bad: Sequence[NamedRow] = rows
    else:
        bad = _bad_rows(store, shard, rows)
        found.problems += [
            f"{path}: row {row.position} is not the embedding that the index says" for row in bad
        ]
    if repair and bad:
        if len(bad) == len(rows):
            delete(store, store.index.forget_shards([shard]))
        else:
            for row in bad:
                store.index.forget_row(row)


def _bad_rows(store: Store, shard: ShardEntry, rows: Sequence[NamedRow]) -> Sequence[NamedRow]:
    try:
        array = store.shards.open(shard.name, shard.shape, shard.dtype)
    except CorruptCacheError:
        return rows
    return [
        row
        for row in rows
        if not 0 <= row.position < len(array)
        or checksum(row.fingerprint, row.digest, array[row.position]) != row.checksum
    ]


def _oldest_above(
    chosen: Sequence[ShardEntry], everything: Sequence[ShardEntry], max_bytes: int
) -> list[ShardEntry]:
    """Return the first of `chosen` that must go for `everything` to fit into `max_bytes`."""
    left, going = sum(shard.bytes for shard in everything), []
    for shard in chosen:
        if left <= max_bytes:
            break
        left -= shard.bytes
        going.append(shard)
    return going


def _leftovers(store: Store) -> list[Path]:
    named = {shard.name for shard in store.index.shards()}
    unnamed = [store.shards.path(name) for name in store.shards.names() if name not in named]
    return unnamed + store.shards.temporaries()
