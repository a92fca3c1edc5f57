"""`python -m cache`: look at the cache, check it, empty it."""

from __future__ import annotations

import json
import reprlib
import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cache import disk
from cache.errors import CacheError, CorruptCacheError
from cache.location import ENVIRONMENT_VARIABLE, cache_folder
from cache.maintenance import upkeep
from cache.maintenance.recompute import recompute
from cache.store import Store
from toolkit.console import argument_parser, quantity, run, size
from toolkit.progress import ConsoleProgress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from cache.index import ShardEntry

DESCRIPTION = "Look at the embedding cache, check every byte of it, or empty it."


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m cache`` and return its exit status."""
    parser = argument_parser("python -m cache", DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, function, words in (
        ("ls", _ls, "list recipes with their rows, bytes and times, and what else is kept"),
        ("verify", _verify, "read every byte and compare it with what was committed"),
        ("prune", _prune, "make room: delete the embeddings that were used least recently"),
        ("clear", _clear, "delete embeddings and maps, or --data, --weights or --models"),
    ):
        command = commands.add_parser(
            name, help=words, description=words[0].upper() + words[1:] + ".", allow_abbrev=False
        )
        command.set_defaults(function=function)
        command.add_argument(
            "--cache",
            metavar="DIR",
            help=f"cache folder (default: ${ENVIRONMENT_VARIABLE}, else the user's cache folder)",
        )
        command.add_argument("--quiet", action="store_true", help="no progress and no notes")
        _OPTIONS.get(name, lambda _: None)(command)
    args = parser.parse_args(argv)
    return run(args.function, args)


def _ls(args: argparse.Namespace) -> None:
    folder = cache_folder(args.cache)
    store = Store(folder)
    going = _choose(store, args, dry_run=True) if _says_what(args) else None
    print(f"cache folder  {folder}")
    recipes = store.recipes()
    for recipe in recipes:
        print(
            f"\n{recipe.fingerprint[:12]}  {recipe.rows:,} embeddings in {recipe.shards:,} shards, "
            f"{_megabytes(recipe.bytes)}, computed {_when(recipe.first)} to {_when(recipe.last)}, "
            f"last used {_when(recipe.used)}"
        )
        print(f"              {_describe(recipe.canonical)}")
        if going is not None:
            shards = [shard for shard, _ in store.index.shards_by_use(recipe.fingerprint)]
            print(f"              prune would delete {_amount(set(shards) & set(going))}")
    if not recipes:
        print("\nno embeddings yet: python -m extract computes some")
    with disk.attempt(f"look into {folder}"):
        for kind in ("data", "weights", "models"):
            for entry in sorted((folder / kind).glob("*")):
                if entry.suffix != ".json":  # what is known of the file beside it
                    print(f"\n{kind:<12}  {entry.name}, {_megabytes(_size(entry))}")
        maps = list((folder / "maps").glob("*.json"))
        if maps:
            print(
                f"\n{'maps':<12}  {_count(len(maps), 'map')}, {_megabytes(_size(folder / 'maps'))}"
            )


def _verify_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--repair", action="store_true", help="drop what is bad, so that it is computed again"
    )
    command.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="also compute N embeddings again, and report the largest relative difference",
    )
    command.add_argument(
        "--weights", metavar="WHICH", default="auto", help="of the sample: where they are"
    )


def _which_options(command: argparse.ArgumentParser) -> None:
    """Add what says which embeddings to prune; with it, `ls` says what would go."""
    command.add_argument(
        "--older-than", type=_seconds, metavar="AGE", help="not used for so long: 12h, 30d, 8w"
    )
    command.add_argument("--recipe", metavar="FINGERPRINT", help="of this recipe (first digits do)")
    command.add_argument(
        "--max-size", type=size, metavar="SIZE", help="until no more is left: 500MB, 2GB"
    )


def _prune_options(command: argparse.ArgumentParser) -> None:
    _which_options(command)
    command.add_argument("--dry-run", action="store_true", help="only say what would be deleted")


def _clear_options(command: argparse.ArgumentParser) -> None:
    what = command.add_mutually_exclusive_group()
    what.add_argument(
        "--recipe", metavar="FINGERPRINT", help="only this recipe's (first digits do)"
    )
    what.add_argument(
        "--data", action="store_true", help="the data sets downloaded, unpacked or drawn"
    )
    what.add_argument("--weights", action="store_true", help="the pretrained weights")
    what.add_argument(
        "--models",
        action="store_true",
        help="the networks made for the faster engine: int8 is then calibrated anew, and its "
        "embeddings are computed again",
    )


_OPTIONS = {
    "ls": _which_options,
    "verify": _verify_options,
    "prune": _prune_options,
    "clear": _clear_options,
}


def _verify(args: argparse.Namespace) -> None:
    folder = cache_folder(args.cache)
    try:
        store = Store(folder)
    except CorruptCacheError:
        if not args.repair:
            raise
        store, aside = upkeep.reopen(folder)
        print(f"the index was damaged and is now {aside}; a new one is begun with what is whole")
    with ConsoleProgress(args.quiet) as progress:
        found = upkeep.verify(store, repair=args.repair, progress=progress)
    for problem in found.problems:
        print(problem, file=sys.stderr)
    if found.problems and not args.repair:
        raise CorruptCacheError(
            f"{_count(len(found.problems), 'problem')} in {_count(found.shards, 'shard')}; "
            "python -m cache verify --repair drops what is bad, and the next run computes it again"
        )
    if found.problems:
        problems = _count(len(found.problems), "problem")
        print(f"{problems} repaired: the next run computes what was dropped")
    else:
        print(
            f"{found.rows:,} embeddings in {found.shards:,} shards, {_megabytes(found.bytes)}: "
            f"every byte as committed"
        )
    if found.leftovers:
        print(f"{found.leftovers} unfinished files of stopped runs lie beside them and do no harm")
    if args.sample:
        with ConsoleProgress(args.quiet) as progress:
            print(recompute(store, args.sample, args.weights, progress))


def _prune(args: argparse.Namespace) -> None:
    if not _says_what(args):
        raise CacheError(
            "nothing says what to delete: give --older-than, --recipe or --max-size, or take "
            "python -m cache clear"
        )
    store = Store(cache_folder(args.cache))
    gone = _choose(store, args, dry_run=args.dry_run)
    left = store.index.shards()
    kept = sum(s.bytes for s in left) - (sum(s.bytes for s in gone) if args.dry_run else 0)
    print(
        f"{'would delete' if args.dry_run else 'deleted'} {_amount(gone)}; {_megabytes(kept)} of "
        f"embeddings {'would be' if args.dry_run else 'are'} left"
    )


def _says_what(args: argparse.Namespace) -> bool:
    return any(which is not None for which in (args.older_than, args.recipe, args.max_size))


def _choose(store: Store, args: argparse.Namespace, *, dry_run: bool) -> list[ShardEntry]:
    return upkeep.prune(
        store,
        older_than=args.older_than,
        fingerprint=_full_fingerprint(store, args.recipe) if args.recipe else None,
        max_bytes=args.max_size,
        dry_run=dry_run,
    )


def _clear(args: argparse.Namespace) -> None:
    folder = cache_folder(args.cache)
    name = next((name for name in ("data", "weights", "models") if vars(args)[name]), None)
    if name is not None:
        kind = folder / name
        with disk.attempt(f"delete {kind}"):
            size = _size(kind)
            shutil.rmtree(kind, ignore_errors=not kind.exists())
        print(f"deleted {kind}, {_megabytes(size)}")
        return
    store = Store(folder)
    gone = upkeep.clear(store, _full_fingerprint(store, args.recipe) if args.recipe else None)
    print(f"deleted {_amount(gone)} of embeddings")


def _full_fingerprint(store: Store, start: str) -> str:
    known = [recipe.fingerprint for recipe in store.recipes()]
    matches = [fingerprint for fingerprint in known if fingerprint.startswith(start)]
    if len(matches) != 1:
        there = ", ".join(fingerprint[:12] for fingerprint in known) or "none"
        raise CacheError(
            f"{len(matches)} recipes begin with {start!r}, expected one; there are: {there}"
        )
    return matches[0]


def _describe(canonical: str) -> str:
    try:
        fields = dict(json.loads(canonical))
    except (ValueError, TypeError, RecursionError):  # only a forged index has such
        return f"not a recipe: {reprlib.repr(canonical)}"
    return " ".join(
        f"{name}={str(value)[:12] if name in ('weights', 'quantised') else value}"
        for name, value in fields.items()
        if value not in (None, False)
    )


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _amount(shards: Collection[ShardEntry]) -> str:
    size = _megabytes(sum(shard.bytes for shard in shards))
    return f"{_count(len(shards), 'shard')}, {size}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _seconds(text: str) -> float:
    return quantity(text, {"h": 3600, "d": 86400, "w": 7 * 86400}, "an age like 12h, 30d or 8w")
