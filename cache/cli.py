"""`python -m cache`: look at the cache, check it, empty it."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cache.console import ConsoleProgress, argument_parser, run
from cache.errors import CacheError, CorruptCacheError
from cache.location import ENVIRONMENT_VARIABLE, cache_folder
from cache.store import Store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

DESCRIPTION = "Look at the embedding cache, check every byte of it, or empty it."


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m cache`` and return its exit status."""
    parser = argument_parser("python -m cache", DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, function, words in (
        ("ls", _ls, "list recipes with their rows, bytes and times, and what else is kept"),
        ("verify", _verify, "read every byte and compare it with what was committed"),
        ("clear", _clear, "delete the embeddings, or with --data or --weights those"),
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
        if name == "clear":
            what = command.add_mutually_exclusive_group()
            what.add_argument(
                "--recipe", metavar="FINGERPRINT", help="only this recipe's (first digits do)"
            )
            what.add_argument(
                "--data", action="store_true", help="the data sets downloaded, unpacked or drawn"
            )
            what.add_argument("--weights", action="store_true", help="the pretrained weights")
    args = parser.parse_args(argv)
    return run(args.function, args)


def _ls(args: argparse.Namespace) -> None:
    folder = cache_folder(args.cache)
    print(f"cache folder  {folder}")
    recipes = Store(folder).recipes()
    for recipe in recipes:
        print(
            f"\n{recipe.fingerprint[:12]}  {recipe.rows:,} embeddings in {recipe.shards:,} shards, "
            f"{_megabytes(recipe.bytes)}, {_when(recipe.first)} to {_when(recipe.last)}"
        )
        print(f"              {_describe(recipe.canonical)}")
    if not recipes:
        print("\nno embeddings yet: python -m extract computes some")
    for kind in ("data", "weights"):
        for entry in sorted((folder / kind).glob("*")):
            print(f"\n{kind:<12}  {entry.name}, {_megabytes(_size(entry))}")


def _verify(args: argparse.Namespace) -> None:
    store = Store(cache_folder(args.cache))
    with ConsoleProgress(args.quiet) as progress:
        found = store.verify(progress)
    for problem in found.problems:
        print(problem, file=sys.stderr)
    if found.problems:
        raise CorruptCacheError(
            f"{len(found.problems)} of {found.shards} shards are damaged; python -m cache clear "
            "empties the cache, and the next run computes the embeddings again"
        )
    print(
        f"{found.rows:,} embeddings in {found.shards:,} shards, {_megabytes(found.bytes)}: "
        f"every byte as committed"
    )
    if found.leftovers:
        print(f"{found.leftovers} unfinished files of stopped runs lie beside them and do no harm")


def _clear(args: argparse.Namespace) -> None:
    folder = cache_folder(args.cache)
    if args.data or args.weights:
        kind = folder / ("data" if args.data else "weights")
        size = _size(kind)
        try:
            shutil.rmtree(kind, ignore_errors=not kind.exists())
        except OSError as error:
            raise CacheError(f"cannot delete {kind}: {error.strerror or error}") from error
        print(f"deleted {kind}, {_megabytes(size)}")
        return
    store = Store(folder)
    shards, size = store.clear(_full_fingerprint(store, args.recipe) if args.recipe else None)
    print(f"deleted {shards:,} shards of embeddings, {_megabytes(size)}")


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
    fields = json.loads(canonical)
    return " ".join(
        f"{name}={str(value)[:12] if name == 'weights' else value}"
        for name, value in fields.items()
        if value not in (None, False)
    )


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
