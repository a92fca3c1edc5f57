"""The store against a dictionary, through any sequence of what is done to a cache.

A state machine of hypothesis adds, reads, clears, prunes (also while another command runs), damages
files, verifies, repairs, opens the cache anew, and kills a process that adds. After every step the
store must know exactly the rows that the dictionary holds. Two recipes give the same numbers, so
that they share shards.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 - the path above comes first
from hypothesis import HealthCheck, Phase, seed, settings  # noqa: E402 - the path above comes first
from hypothesis import strategies as st  # noqa: E402 - the path above comes first
from hypothesis.stateful import (  # noqa: E402 - the path above comes first
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cache.errors import CacheError, CorruptCacheError  # noqa: E402 - the path above comes first
from cache.maintenance import upkeep  # noqa: E402 - the path above comes first
from cache.store import Store  # noqa: E402 - the path above comes first

SEED = 23
STEPS, STEPS_FULL = 250, 10_000
STEPS_A_CACHE = 50

IMAGES = [hashlib.sha256(b"image %d" % i).hexdigest() for i in range(12)]
CANONICAL = [f'{{"backbone":"stub{i}"}}' for i in range(3)]
RECIPES = [hashlib.sha256(text.encode()).hexdigest() for text in CANONICAL]

recipes = st.integers(0, len(RECIPES) - 1)
some_images = st.lists(st.integers(0, len(IMAGES) - 1), min_size=1, max_size=6, unique=True)
many_images = st.lists(st.integers(0, len(IMAGES) - 1), min_size=6, max_size=12, unique=True)
Key = tuple[int, int]
"""Numbers of a recipe and of an image."""


def embedding(recipe: int, image: int) -> np.ndarray:
    """Return the row that an image has under a recipe; the first two recipes agree."""
    return np.full(4, 100 * (recipe // 2) + image, np.float32)


def append(store: Store, recipe: int, images: list[int]) -> None:
    """Commit the rows of some images in one shard."""
    rows = np.stack([embedding(recipe, image) for image in images])
    store.append(RECIPES[recipe], CANONICAL[recipe], [IMAGES[i] for i in images], rows)


class Caches(RuleBasedStateMachine):
    """A cache, and what it ought to hold."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store(self.folder)
        self.other: Store | None = None
        self.rows: set[Key] = set()
        self.suspect: set[Key] = set()
        """Rows in a damaged shard: they may be lost, but never wrong."""
        self.held: set[Key] = set()
        """Rows that the other running command has asked for."""

    def teardown(self) -> None:
        """Check everything once more, in a cache that is opened anew."""
        try:
            self.store = Store(self.folder)
            self._compare()
        finally:
            self.other = None
            shutil.rmtree(self.folder)

    @rule(recipe=recipes, images=some_images)
    def add(self, recipe: int, images: list[int]) -> None:
        """Commit rows that are not there, and maybe some that are."""
        append(self.store, recipe, images)
        self.rows |= {(recipe, image) for image in images}
        self._step()

    @rule(recipe=recipes, images=some_images)
    def read(self, recipe: int, images: list[int]) -> None:
        """Read rows."""
        self._read(self.store, recipe, images)
        self._step()

    @initialize(recipe=recipes, images=many_images)
    def begin(self, recipe: int, images: list[int]) -> None:
        """Begin with some rows, in shards of two."""
        for start in range(0, len(images), 2):
            append(self.store, recipe, images[start : start + 2])
        self.rows |= {(recipe, image) for image in images}

    @rule(recipe=st.sampled_from([0, 1, 2, 0, 1, 2, None]))
    def clear(self, recipe: int | None) -> None:
        """Delete one recipe's rows, or all."""
        upkeep.clear(self.store, None if recipe is None else RECIPES[recipe])
        gone = {key for key in self.rows if recipe in (None, key[0])}
        self.rows, self.suspect = self.rows - gone, self.suspect - gone
        self.held -= gone
        self._step()

    @rule(
        recipe=st.none() | recipes, share=st.sampled_from([0.7, 0.3, 0.0, 1.0]), dry=st.booleans()
    )
    def prune(self, recipe: int | None, share: float, dry: bool) -> None:
        """Make room; what another command has asked for must stay."""
        gc.collect()  # a store that is left, but in some traceback, still holds its lease
        inside = self._shards()
        fingerprint = None if recipe is None else RECIPES[recipe]
        most = int(share * sum(shard.bytes for shard in self.store.index.shards()))
        dropped = upkeep.prune(self.store, fingerprint=fingerprint, max_bytes=most, dry_run=dry)
        gone = set().union(*(inside[shard.name] for shard in dropped))
        assert not gone & self.held, f"rows of a running command were dropped: {gone & self.held}"
        if recipe is not None:
            for shard in dropped:
                owners = {owner for owner, _ in inside[shard.name]}
                assert recipe in owners, "a shard of another recipe was dropped"
        if not dry:
            self.rows, self.suspect = self.rows - gone, self.suspect - gone
            left = sum(shard.bytes for shard in self.store.index.shards())
            assert left <= most or self.other is not None or recipe is not None, f"{left} > {most}"
        self._step()

    @rule(recipe=recipes, images=some_images)
    def other_asks(self, recipe: int, images: list[int]) -> None:
        """Let another command ask for rows, which stay as long as it runs."""
        if self.other is None:
            self.other = Store(self.folder)
        wanted = [IMAGES[image] for image in images]
        absent = set(self.other.missing(RECIPES[recipe], wanted))
        self.held |= {(recipe, i) for i in images if IMAGES[i] not in absent}
        self._step()

    @precondition(lambda self: self.other is not None)
    @rule()
    def other_ends(self) -> None:
        """Let the other command end."""
        self.other, self.held = None, set()
        self._step()

    @rule(recipe=recipes, images=some_images)
    def other_adds(self, recipe: int, images: list[int]) -> None:
        """Let another command commit rows and read them."""
        if self.other is None:
            self.other = Store(self.folder)
        append(self.other, recipe, images)
        self.rows |= {(recipe, image) for image in images}
        self._read(self.other, recipe, images)
        self.held |= {(recipe, image) for image in images}
        self._step()

    @rule(
        number=st.integers(0, 99),
        how=st.sampled_from(["flip", "cut", "delete"]),
        at=st.sampled_from([0.99, 0.8, 0.6, 0.1]),
    )
    def damage(self, number: int, how: str, at: float) -> None:
        """Damage a shard's file."""
        shards = sorted(self._shards().items())
        if shards:
            name, inside = shards[number % len(shards)]
            path = self.store.shards.path(name)
            if path.exists():
                _damage(path, how, at)
            self.suspect |= inside
            for recipe, image in inside:
                self._read(self.store, recipe, [image])
        self._step()

    @rule()
    def verify(self) -> None:
        """Look at every byte; where nothing was damaged, nothing is found."""
        found = upkeep.verify(self.store)
        assert not found.problems or self.suspect, found.problems
        self._step()

    @rule()
    def repair(self) -> None:
        """Drop what is bad; what is whole stays, and nothing bad is left."""
        upkeep.verify(self.store, repair=True)
        lost = {key for key in self.suspect if self._is_missing(key)}
        self.rows, self.held, self.suspect = self.rows - lost, self.held - lost, set()
        assert upkeep.verify(self.store).problems == []
        self._step()

    @rule(recipe=recipes, images=some_images)
    def reopen(self, recipe: int, images: list[int]) -> None:
        """Open the cache anew, and read rows."""
        self.store = Store(self.folder)
        self._read(self.store, recipe, images)
        self._step()

    @rule(recipe=recipes, images=some_images, tenths=st.integers(0, 300))
    def kill(self, recipe: int, images: list[int], tenths: int) -> None:
        """Kill a process that commits rows, some tenths of a millisecond after its beginning."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                store = Store(self.folder)
                for image in images:
                    append(store, recipe, [image])
                    os.write(writing, bytes([image]))
            os._exit(0)
        time.sleep(tenths / 10_000)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            committed = set(pipe.read())
        for image in images:
            key = (recipe, image)
            if image in committed:
                assert not self._is_missing(key), f"{key} was committed and is lost"
            if not self._is_missing(key):
                self.rows.add(key)
        self._step()

    def _step(self) -> None:
        type(self).steps += 1
        self._compare()

    def _compare(self) -> None:
        for recipe in range(len(RECIPES)):
            absent = set(self.store.missing(RECIPES[recipe], IMAGES))
            known = {i for i, digest in enumerate(IMAGES) if digest not in absent}
            expected = {image for r, image in self.rows if r == recipe}
            assert known == expected, f"recipe {recipe} has {known}, expected {expected}"
            sound = sorted(expected - {image for r, image in self.suspect if r == recipe})
            if sound:
                self._read(self.store, recipe, sound)

    def _read(self, store: Store, recipe: int, images: list[int]) -> None:
        keys = {(recipe, image) for image in images}
        try:
            found = store.read(RECIPES[recipe], [IMAGES[image] for image in images])
        except CorruptCacheError:
            assert keys & self.suspect, "sound rows are called corrupt"
        except CacheError:
            assert keys - self.rows, "rows are said not to be there"
        else:
            assert keys <= self.rows, (
                f"there are rows that nobody has committed: {keys - self.rows}"
            )
            np.testing.assert_array_equal(found, [embedding(recipe, image) for image in images])

    def _is_missing(self, key: Key) -> bool:
        return bool(self.store.missing(RECIPES[key[0]], [IMAGES[key[1]]]))

    def _shards(self) -> dict[str, set[Key]]:
        """Return which rows lie in which shard."""
        return {
            shard.name: {
                (RECIPES.index(row.fingerprint), IMAGES.index(row.digest))
                for row in self.store.index.rows_of(shard)
            }
            for shard in self.store.index.shards()
        }


def _damage(path: Path, how: str, at: float) -> None:
    data = bytearray(path.read_bytes())
    place = min(int(at * len(data)), len(data) - 1)
    if how == "delete" or not data:
        path.unlink()
        return
    if how == "flip":
        data[place] ^= 1 << (place % 8)
    else:
        del data[place:]
    path.write_bytes(data)


def main() -> int:
    """Run the machine until there were steps enough, and print how many, and what differed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help=f"{STEPS_FULL} steps, not {STEPS}")
    wanted = STEPS_FULL if parser.parse_args().full else STEPS
    print(f"seed {SEED}", file=sys.stderr)
    options = settings(
        max_examples=5,
        stateful_step_count=STEPS_A_CACHE,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    differences, number = 0, SEED
    while Caches.steps < wanted and not differences:
        number += 1
        print(f"{Caches.steps} of {wanted}", end="\r", file=sys.stderr)
        try:
            run_state_machine_as_test(seed(number)(Caches), settings=options)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a difference
            differences += 1
            print(f"seed {number}:", file=sys.stderr)
            traceback.print_exception(error, limit=-4)
    print(f"{Caches.steps} steps, {differences} differences")
    return bool(differences)


if __name__ == "__main__":
    raise SystemExit(main())
