"""`python -m cache`: list, verify, repair, prune and clear the cache."""

from __future__ import annotations

import json
import reprlib
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cache import disk
from cache.errors import CacheError, CorruptCacheError
from cache.location import ENVIRONMENT_VARIABLE, cache_folder
from cache.maintenance import upkeep
from cache.maintenance.dependents import runs_without_network, runs_without_weights
from cache.maintenance.networks import list_networks
from cache.maintenance.recompute import recompute
from cache.store import Store
from toolkit.console import argument_parser, quantity, run, size
from toolkit.progress import ConsoleProgress
from toolkit.wording import plural, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Sequence

    from cache.entries import ShardEntry

DESCRIPTION = "List, verify, repair, prune or clear the embedding cache."

RUNS = Path("runs")
"""Where the runs of this folder are by default."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``python -m cache`` and return its exit status."""
    parser = argument_parser("python -m cache", DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, function, description in (
        ("ls", _ls, "list recipes with their rows, bytes and times, and what else is stored"),
        ("verify", _verify, "read every byte and compare it with what was committed"),
        ("repair", _verify, "verify, and drop what is damaged, so that it is computed again"),
        ("prune", _prune, "delete the embeddings that were used least recently"),
        ("clear", _clear, "delete embeddings and maps, or --data, --weights or --models"),
    ):
        command = commands.add_parser(
            name,
            help=description,
            description=description[0].upper() + description[1:] + ".",
            allow_abbrev=False,
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
    to_prune = _choose(store, args, dry_run=True) if _has_selection(args) else None
    print(f"cache folder  {folder}")
    recipes = store.recipes()
    for recipe in recipes:
        print(
            f"\n{recipe.fingerprint[:12]}  {plural(recipe.rows, 'embedding')} in "
            f"{plural(recipe.shards, 'shard')}, {_megabytes(recipe.bytes)}, "
            f"computed {_when(recipe.first)} to {_when(recipe.last)}, "
            f"last used {_when(recipe.used)}"
        )
        print(f"              {_describe(recipe.canonical)}")
        if to_prune is not None:
            shards = [shard for shard, _ in store.index.shards_by_use(recipe.fingerprint)]
            print(f"              prune would delete {_amount(set(shards) & set(to_prune))}")
    if not recipes:
        print("\nno embeddings yet: python -m extract computes some")
    with disk.attempt(f"list {folder}"):
        for kind in ("data", "weights"):
            for entry in sorted((folder / kind).glob("*")):
                if entry.suffix != ".json":  # the record of the file beside it
                    print(f"\n{kind:<12}  {entry.name}, {_megabytes(_size(entry))}")
        for network in list_networks(folder):
            print(
                f"\n{'models':<12}  {printable(network.description) or network.name}, "
                f"{_megabytes(network.bytes)}, made {_when(network.created)}"
            )
        maps = list((folder / "maps").glob("*.json"))
        if maps:
            size = _megabytes(_size(folder / "maps"))
            print(f"\n{'maps':<12}  {plural(len(maps), 'map')}, {size}")


def _verify_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--repair",
        action="store_true",
        help="drop what is damaged, so that it is computed again (as python -m cache repair does)",
    )
    _sample_options(command)


def _sample_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="also compute N embeddings again, and report the largest relative difference",
    )
    command.add_argument(
        "--weights",
        metavar="WHICH",
        default="auto",
        help="weights for the sample: auto, imagenet, torchvision or a file; of several networks, "
        "with commas between",
    )


def _selection_options(command: argparse.ArgumentParser) -> None:
    """Add options that select embeddings: those to prune, or those that `ls` would prune."""
    command.add_argument(
        "--older-than",
        type=_seconds,
        metavar="AGE",
        help="that were not used for this time: 12h, 30d, 8w",
    )
    command.add_argument("--recipe", metavar="FINGERPRINT", help="of this recipe (first digits)")
    command.add_argument(
        "--max-size",
        type=size,
        metavar="SIZE",
        help="until embeddings and networks take at most this: 500MB, 2GB",
    )


def _prune_options(command: argparse.ArgumentParser) -> None:
    _selection_options(command)
    command.add_argument("--dry-run", action="store_true", help="only print what would be deleted")


def _clear_options(command: argparse.ArgumentParser) -> None:
    what = command.add_mutually_exclusive_group()
    what.add_argument(
        "--recipe",
        metavar="FINGERPRINT",
        help="only those of this recipe (first digits)",
    )
    what.add_argument(
        "--data", action="store_true", help="the data sets that were downloaded, unpacked or drawn"
    )
    what.add_argument("--weights", action="store_true", help="the pretrained weights")
    what.add_argument(
        "--models",
        action="store_true",
        help="the networks converted for the faster engine, and the quantised ones, of which runs "
        "have copies",
    )
    command.add_argument("--dry-run", action="store_true", help="only print what would be deleted")


_OPTIONS = {
    "ls": _selection_options,
    "verify": _verify_options,
    "repair": _sample_options,
    "prune": _prune_options,
    "clear": _clear_options,
}


def _verify(args: argparse.Namespace) -> None:
    folder = cache_folder(args.cache)
    repair = args.command == "repair" or args.repair
    try:
        store = Store(folder)
    except CorruptCacheError:
        if not repair:
            raise
        store, renamed = upkeep.reopen(folder)
        print(f"the index was damaged: it is now {renamed}, and a new one has what was intact")
    with ConsoleProgress(args.quiet) as progress:
        result = upkeep.verify(store, repair=repair, progress=progress)
    for problem in result.problems:
        print(problem, file=sys.stderr)
    problems, shards = plural(len(result.problems), "problem"), plural(result.shards, "shard")
    if result.problems and not repair:
        raise CorruptCacheError(
            f"{problems} in {shards}; python -m cache repair drops what is damaged, and the next "
            "run computes it again"
        )
    if result.problems:
        print(f"{problems} repaired: the next run computes what was dropped")
    else:
        embeddings = plural(result.rows, "embedding")
        size = _megabytes(result.bytes)
        print(f"{embeddings} in {shards}, {size}: every byte is as committed")
    if result.leftovers:
        print(f"{plural(result.leftovers, 'unfinished file')} of stopped runs (harmless)")
    if args.sample:
        with ConsoleProgress(args.quiet) as progress:
            print(recompute(store, args.sample, args.weights, progress))


def _prune(args: argparse.Namespace) -> None:
    if not _has_selection(args):
        raise CacheError(
            "nothing selects what to delete: give --older-than, --recipe or --max-size, or use "
            "python -m cache clear"
        )
    store = Store(cache_folder(args.cache))
    pruned = _choose(store, args, dry_run=args.dry_run)
    remaining = sum(shard.bytes for shard in set(store.index.shards()) - set(pruned))
    networks = sum(network.bytes for network in list_networks(store.folder))
    print(
        f"{'would delete' if args.dry_run else 'deleted'} {_amount(pruned)}; "
        f"{_megabytes(remaining)} of embeddings "
        f"{f'and {_megabytes(networks)} of networks ' if networks else ''}"
        f"{'would be' if args.dry_run else 'are'} left"
    )


def _has_selection(args: argparse.Namespace) -> bool:
    return any(option is not None for option in (args.older_than, args.recipe, args.max_size))


def _choose(store: Store, args: argparse.Namespace, *, dry_run: bool) -> list[ShardEntry]:
    return upkeep.prune(
        store,
        older_than=args.older_than,
        fingerprint=_full_fingerprint(store, args.recipe) if args.recipe else None,
        max_bytes=args.max_size,
        dry_run=dry_run,
    )


def _clear(args: argparse.Namespace) -> None:
    folder, done = cache_folder(args.cache), "would delete" if args.dry_run else "deleted"
    name = next((name for name in ("data", "weights", "models") if vars(args)[name]), None)
    if name is None:
        store = Store(folder)
        fingerprint = _full_fingerprint(store, args.recipe) if args.recipe else None
        cleared = upkeep.clear(store, fingerprint, dry_run=args.dry_run)
        print(f"{done} {_amount(cleared)} of embeddings")
        return
    kind, sentences = folder / name, _about_runs(folder, name)
    with disk.attempt(f"delete {kind}"):
        size = _size(kind)
        if not args.dry_run:
            shutil.rmtree(kind, ignore_errors=not kind.exists())
    print(f"{done} {kind}, {_megabytes(size)}")
    for sentence in sentences:
        print(sentence)


def _about_runs(folder: Path, name: str) -> list[str]:
    """Return what it means for the runs in this folder to delete a kind of files."""
    if name == "models":
        disabled = runs_without_network(folder, RUNS)
        consequence = "cannot predict without these networks, of which they have no copy"
    elif name == "weights":
        disabled = runs_without_weights(folder, RUNS)
        consequence = "will download these weights again to predict"
    else:
        disabled, consequence = [], ""
    if not disabled:
        return []
    return [f"{plural(len(disabled), 'run')} below {RUNS} {consequence}:", *map(str, disabled)]


def _full_fingerprint(store: Store, start: str) -> str:
    known = [recipe.fingerprint for recipe in store.recipes()]
    matches = [fingerprint for fingerprint in known if fingerprint.startswith(start)]
    if len(matches) != 1:
        listed = ", ".join(fingerprint[:12] for fingerprint in known) or "none"
        raise CacheError(
            f"expected one recipe that begins with {start!r}, found {len(matches)}; the cache "
            f"contains: {listed}"
        )
    return matches[0]


def _describe(canonical: str) -> str:
    try:
        fields = dict(json.loads(canonical))
    except (ValueError, TypeError, RecursionError):  # only in a forged index
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
    return f"{plural(len(shards), 'shard')}, {size}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _seconds(text: str) -> float:
    return quantity(text, {"h": 3600, "d": 86400, "w": 7 * 86400}, "an age like 12h, 30d or 8w")
