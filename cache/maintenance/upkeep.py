"""Verify, repair, prune and clear a cache.

`prune` deletes nothing that a running command reads: shards that were used since the oldest running
command started are kept. `clear` deletes everything.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cache import disk, file_records
from cache.database import rename_database
from cache.errors import CacheError
from cache.locks import Lease
from cache.maintenance.networks import list_networks
from cache.maintenance.salvage import intact_rows, replace_shard, salvage
from cache.store import Store
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cache.entries import ShardEntry

_SECONDS_UNTIL_ABANDONED = 3600.0
"""After this time, a file in the folder of shards that the index does not name is a leftover."""


@dataclass
class Verification:
    """The result of `verify`.

    Parameters
    ----------
    shards, rows, bytes : int
        How much was read.
    problems : list of str
        One sentence for each damaged item; empty if there is none.
    leftovers : int
        Number of unfinished files of killed processes. They do no harm, and `delete_leftovers`
        deletes them.
    """

    shards: int = 0
    rows: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)
    leftovers: int = 0


def verify(store: Store, *, repair: bool = False, progress: Progress = silent) -> Verification:
    """Read the index and every embedding, and compare them with what was committed.

    Parameters
    ----------
    store : Store
        The cache.
    repair : bool, default=False
        Drop what is damaged, so that the next run computes it again. An index with damaged pages
        is renamed and replaced.
    progress : Progress, default=silent
        Is called with the stage "verifying shards".

    Returns
    -------
    Verification
        Its problems are those found before the repair.
    """
    result = Verification(problems=[f"the index: {line}" for line in store.database.problems()])
    if result.problems:
        if not repair:
            return result
        damaged = store.database.replace("damaged")
        if damaged is not None:
            salvage(damaged, store)
    if store.index_was_lost:
        result.problems.append(
            "the index was empty or missing, although there are shards: a new one was created"
        )
        store.index_was_lost = False
    result.problems += [f"the index: {line}" for line in store.index.find_damage()]
    result.problems += [
        f"the index: the memo of {path!r} is damaged" for path in store.memo.find_damage()
    ]
    if repair:
        delete(store, store.index.drop_damaged())
        store.memo.drop(store.memo.find_damage())
    shards = store.index.shards()
    for done, shard in enumerate(shards):
        progress("verifying shards", done, len(shards))
        _verify_shard(store, shard, result, repair)
    progress("verifying shards", len(shards), len(shards))
    for kind in ("weights", "models", "maps"):
        result.problems += file_records.verify_records(store.folder / kind, repair=repair)
    result.leftovers = len(_leftovers(store))
    return result


def prune(
    store: Store,
    *,
    older_than: float | None = None,
    fingerprint: str | None = None,
    max_bytes: int | None = None,
    dry_run: bool = False,
) -> list[ShardEntry]:
    """Delete the shards that were used least recently.

    Parameters
    ----------
    store : Store
        The cache.
    older_than : float, default=None
        Delete only shards that were not used for so many seconds.
    fingerprint : str, default=None
        Delete only shards of this recipe.
    max_bytes : int, default=None
        Delete only until the remaining shards, and the networks in ``models/``, take at most so
        many bytes.
    dry_run : bool, default=False
        Delete nothing.

    Returns
    -------
    list of ShardEntry
        The shards that were deleted, or would be. Shards that a running command may be reading are
        never among them.

    Raises
    ------
    CacheError
        If the networks alone take more than `max_bytes`; then nothing is deleted.
    """
    now = time.time()  # before reading the leases: later commands use their shards after this
    with disk.attempt("find out which commands are running"):
        running_since = Lease.oldest(store.folder / "leases", exclude=store.lease)
    limit = min(now if running_since is None else running_since, now - (older_than or 0.0))
    uses = store.index.shards_by_use(fingerprint)
    chosen = [shard for shard, last_use in uses if last_use < limit]
    if max_bytes is not None:
        room = max_bytes - _bytes_of_networks(store, max_bytes)
        chosen = _oldest_above(chosen, [shard for shard, _ in store.index.shards_by_use()], room)
    if dry_run:
        return chosen
    dropped = store.index.drop_shards(chosen, unless_used_since=limit)
    delete(store, dropped)
    return dropped


def clear(
    store: Store, fingerprint: str | None = None, *, dry_run: bool = False
) -> list[ShardEntry]:
    """Delete all embeddings and maps, or the embeddings of one recipe; return these shards."""
    if dry_run:
        return [shard for shard, _ in store.index.shards_by_use(fingerprint)]
    dropped = store.index.drop_recipe(fingerprint)
    delete(store, dropped)
    delete_leftovers(store)
    if fingerprint is None:
        shutil.rmtree(store.folder / "maps", ignore_errors=True)
    return dropped


def delete_leftovers(store: Store) -> None:
    """Delete the unfinished files of killed processes, once no process can be using them."""
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
    """Delete the files of shards that the index no longer names."""
    store.index.delete_unnamed([shard.name for shard in shards], store.shards.delete)


def reopen(folder: Path) -> tuple[Store, Path]:
    """Open a cache whose index is not a database any more: rename it and create a new one.

    Returns
    -------
    store : Store
        Has the rows that could still be read from the old index.
    renamed : Path
        The old index.

    Raises
    ------
    CacheError
        If the index cannot be renamed or created.
    """
    renamed = rename_database(folder / "index.sqlite", "damaged")
    store = Store(folder)
    store.index_was_lost = False
    salvage(renamed, store)
    return store, renamed


def _verify_shard(store: Store, shard: ShardEntry, result: Verification, repair: bool) -> None:
    path, rows = store.shards.path(shard.name), store.index.rows_of(shard)
    result.shards += 1
    result.rows += len(rows)
    result.bytes += shard.bytes
    is_intact = functools.partial(store.shards.intact, shard.name)
    if not is_intact():
        if not store.index.is_lost(shard.name, is_intact):
            return  # another process has deleted it in the meantime
        result.problems.append(f"{path} is missing, or its name is not the SHA-256 of its bytes")
        if repair:
            replace_shard(store, shard, intact_rows(store, shard, rows))
            delete(store, [shard])
        return
    intact = intact_rows(store, shard, rows)
    for row in rows:
        if row not in intact:
            result.problems.append(
                f"{path}: row {row.position} is not the embedding that the index names"
            )
            if repair:
                store.index.drop_row(shard, row)


def _bytes_of_networks(store: Store, max_bytes: int) -> int:
    networks = sum(network.bytes for network in list_networks(store.folder))
    if networks > max_bytes:
        raise CacheError(
            f"the networks in {store.folder / 'models'} take {networks / 1e6:,.1f} MB, which is "
            f"more than {max_bytes / 1e6:,.1f} MB without any embedding: nothing was deleted; "
            "allow more, or delete them with python -m cache clear --models"
        )
    return networks


def _oldest_above(
    chosen: Sequence[ShardEntry], everything: Sequence[ShardEntry], max_bytes: int
) -> list[ShardEntry]:
    """Return the first of `chosen`: those to delete so that the rest fits into `max_bytes`."""
    remaining, to_delete = sum(shard.bytes for shard in everything), []
    for shard in chosen:
        if remaining <= max_bytes:
            break
        remaining -= shard.bytes
        to_delete.append(shard)
    return to_delete


def _leftovers(store: Store) -> list[Path]:
    named = {shard.name for shard in store.index.shards()}
    unnamed = [store.shards.path(name) for name in store.shards.names() if name not in named]
    return unnamed + store.shards.temporaries()
