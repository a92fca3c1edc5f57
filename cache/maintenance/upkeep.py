"""Looking after a cache: verify and repair it, make room, empty it.

`prune` takes nothing away that a running command reads: shards used since the oldest running
command began stay. `clear` is asked to delete everything, and does.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cache import checksums, disk
from cache.database import set_aside
from cache.locks import Lease
from cache.maintenance.salvage import good_rows, rescue, salvage
from cache.store import Store
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cache.index import ShardEntry

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
    found = Verification(problems=[f"the index: {line}" for line in store.database.problems()])
    if found.problems:
        if not repair:
            return found
        aside = store.database.begin_anew("damaged")
        if aside is not None:
            salvage(aside, store)
    if store.index_was_lost:
        found.problems.append(
            "the index was empty or gone, though there are shards: a new one is begun"
        )
        store.index_was_lost = False
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
    for kind in ("weights", "models", "maps"):
        found.problems += checksums.verify(store.folder / kind, repair=repair)
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
    now = time.time()  # before looking for leases: what a later command uses is used after this
    with disk.attempt("see which commands are running"):
        running_since = Lease.oldest(store.folder / "leases", besides=store.lease)
    limit = min(now if running_since is None else running_since, now - (older_than or 0.0))
    used = store.index.shards_by_use(fingerprint)
    chosen = [shard for shard, moment in used if moment < limit]
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
    """Delete all embeddings and maps, or one recipe's embeddings; return the shards deleted."""
    dropped = store.index.forget_recipe(fingerprint)
    delete(store, dropped)
    sweep(store)
    if fingerprint is None:
        shutil.rmtree(store.folder / "maps", ignore_errors=True)
    return dropped


def sweep(store: Store) -> None:
    """Delete the files that killed runs have left, once they are surely nobody's."""
    abandoned = []
    for path in _leftovers(store):
        with disk.attempt(f"look at {path}"), contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _SECONDS_UNTIL_ABANDONED:
                abandoned.append(path)
    store.index.delete_unnamed(
        [path.stem for path in abandoned if path.suffix], store.shards.delete
    )
    for path in abandoned:
        if not path.suffix:
            with disk.attempt(f"delete {path}"):
                path.unlink(missing_ok=True)


def delete(store: Store, shards: Iterable[ShardEntry]) -> None:
    """Delete the files of shards that the index names no more."""
    store.index.delete_unnamed([shard.name for shard in shards], store.shards.delete)


def reopen(folder: Path) -> tuple[Store, Path]:
    """Open a cache whose index is no database any more: set it aside, begin a new one.

    Returns
    -------
    store : Store
        With those rows that could still be read from the old index.
    aside : Path
        The old index.

    Raises
    ------
    CacheError
        If the index cannot be renamed or made.
    """
    aside = set_aside(folder / "index.sqlite", "damaged")
    store = Store(folder)
    store.index_was_lost = False
    salvage(aside, store)
    return store, aside


def _verify_shard(store: Store, shard: ShardEntry, found: Verification, repair: bool) -> None:
    path, rows = store.shards.path(shard.name), store.index.rows_of(shard)
    found.shards, found.rows, found.bytes = (
        found.shards + 1,
        found.rows + len(rows),
        found.bytes + shard.bytes,
    )
    intact = functools.partial(store.shards.intact, shard.name)
    if not intact():
        if not store.index.is_lost(shard.name, intact):
            return  # another process has deleted it meanwhile
        found.problems.append(
            f"{path} is missing, or its bytes are not the ones that it is named by"
        )
        if repair:
            rescue(store, shard, good_rows(store, shard, rows))
            delete(store, [shard])
        return
    good = good_rows(store, shard, rows)
    for row in rows:
        if row not in good:
            found.problems.append(
                f"{path}: row {row.position} is not the embedding that the index says"
            )
            if repair:
                store.index.forget_row(shard, row)


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
