"""A cache that was moved or copied is still warm; one of another schema is refused or set aside.

``python -m extract`` runs VGG16 with random weights on small pictures. With a warm cache it
computes nothing, and works where TensorFlow cannot be imported. With ``--full`` there is a run
after every step, not after several, and what an older cache held is computed again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import common
import cv2
import numpy as np

PICTURES, SIZE = 6, 32
VGG16_CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
"""Of its input, and after each of its 13 convolutions."""
SCHEMA_1 = """
CREATE TABLE recipe (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    canonical TEXT NOT NULL
) STRICT;
CREATE TABLE shard (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    shape TEXT NOT NULL,
    dtype TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    created REAL NOT NULL
) STRICT;
CREATE TABLE row (
    recipe INTEGER NOT NULL REFERENCES recipe,
    digest TEXT NOT NULL,
    shard INTEGER NOT NULL REFERENCES shard,
    position INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    PRIMARY KEY (recipe, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX row_by_shard ON row (shard, position);
CREATE TABLE memo (
    path BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO recipe VALUES (1, 'old', '{}');
PRAGMA application_id = 1179009841;
PRAGMA user_version = 1;
"""


class Moving:
    """A folder of pictures, weights, and what was promised and not kept."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.checks = 0
        self.broken: list[str] = []
        self.pictures, self.weights = scratch / "pictures", scratch / "vgg16.npz"
        self.without_tensorflow = scratch / "without"
        for name in ("tensorflow", "keras"):
            (self.without_tensorflow / name).mkdir(parents=True)
            code = "raise ImportError('no TensorFlow here')"
            (self.without_tensorflow / name / "__init__.py").write_text(code, encoding="ascii")
        rng = np.random.default_rng(common.SEED)
        for i in range(PICTURES):
            path = self.pictures / ("cat", "dog")[i % 2] / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), rng.integers(0, 256, (40, 40, 3)).astype(np.uint8))
        arrays = []
        for before, after in pairwise(VGG16_CHANNELS):
            arrays.append(rng.normal(0, 0.05, (3, 3, before, after)).astype(np.float32))
            arrays.append(np.zeros(after, np.float32))
        np.savez(self.weights, *arrays)

    def python(self, *arguments: str, tensorflow: bool = False) -> subprocess.CompletedProcess[str]:
        """Run one of the commands, by default without TensorFlow."""
        path = str(self.without_tensorflow)
        env = os.environ if tensorflow else {**os.environ, "PYTHONPATH": path}
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=common.ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    def extract(
        self, cache: Path, pictures: Path | None = None, *, tensorflow: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python -m extract``."""
        data = ["--data", str(pictures or self.pictures), "--size", str(SIZE)]
        where = ["--weights", str(self.weights), "--cache", str(cache)]
        engine = ("--engine", "tensorflow")  # VGG16 on OpenVINO would not need it
        return self.python(
            "extract", *data, *where, *engine, "--json", "--quiet", tensorflow=tensorflow
        )

    def expect(self, what: str, promise: object) -> None:
        """Count a check, and note it if it fails."""
        self.checks += 1
        common.say(f"{'kept' if promise else 'BROKEN'}: {what}")
        if not promise:
            self.broken.append(what)

    def expect_warm(self, what: str, done: subprocess.CompletedProcess[str]) -> None:
        """Expect that everything was there already."""
        found = summary(done)
        self.expect(f"{what}: computes nothing", found.get("computed") == 0)
        self.expect(f"{what}: finds every embedding", found.get("cached") == PICTURES)


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what ``--json`` printed."""
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        common.say(done.stderr[-2000:])
        return {}


def moved(moving: Moving, full: bool) -> Path:
    """Move and copy a filled cache; return where it is in the end."""
    first, second, third = (moving.scratch / name for name in ("here", "there", "elsewhere"))
    refused = moving.extract(first)
    moving.expect("a new cache: needs TensorFlow", "no TensorFlow here" in refused.stderr)
    cold = moving.extract(first, tensorflow=True)
    moving.expect("a new cache: computes everything", summary(cold).get("computed") == PICTURES)
    if full:
        moving.expect_warm("where it was", moving.extract(first))
    first.rename(second)
    if full:
        moving.expect_warm("moved", moving.extract(second))
    shutil.copytree(second, third)
    if full:
        moving.expect_warm("copied", moving.extract(third))
    shutil.rmtree(second)
    pictures = moving.scratch / "other machine" / "pictures"
    shutil.copytree(moving.pictures, pictures)
    moving.expect_warm("moved and copied, with the pictures", moving.extract(third, pictures))
    verified = moving.python("cache", "verify", "--cache", str(third))
    moving.expect("copied: verify is clean", verified.returncode == 0)
    return third


def newer(moving: Moving, cache: Path) -> None:
    """Meet a cache of a newer schema."""
    index = cache / "index.sqlite"
    whole = index.read_bytes()
    with contextlib.closing(sqlite3.connect(index)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = hashlib.sha256(index.read_bytes()).hexdigest()
    runs = {"extract": moving.extract(cache)}
    for command in ("ls", "verify --repair", "prune --max-size 0B", "clear"):
        runs[command] = moving.python("cache", *command.split(), "--cache", str(cache))
    for name, done in runs.items():
        lines = done.stderr.splitlines()
        moving.expect(f"newer schema, {name}: status 2", done.returncode == 2)
        moving.expect(
            f"newer schema, {name}: one sentence",
            len(lines) == 1 and "has schema 99, but this version" in lines[0],
        )
    same = hashlib.sha256(index.read_bytes()).hexdigest() == before
    moving.expect("newer schema: the index is not touched", same)
    index.write_bytes(whole)
    moving.expect_warm("back to our schema", moving.extract(cache))


def older(moving: Moving, cache: Path, full: bool) -> None:
    """Meet caches of the schema before, twice in the same second."""
    index = cache / "index.sqlite"
    for again in (1, 2):
        index.unlink()
        with contextlib.closing(sqlite3.connect(index)) as connection:
            connection.executescript(SCHEMA_1)
        done = moving.python("cache", "ls", "--cache", str(cache))
        moving.expect(f"older schema, {again}: the run goes on", done.returncode == 0)
        moving.expect(f"older schema, {again}: it is said", "schema-1" in done.stderr)
    aside = list(cache.glob("index.schema-1-*.sqlite"))
    moving.expect("older schema: each old index is kept", len(aside) == 2)
    for path in aside:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            kept = connection.execute("SELECT fingerprint FROM recipe").fetchall()
        moving.expect("older schema: what it held is still there", kept == [("old",)])
    if not full:
        refused = moving.extract(cache)
        moving.expect("older schema: to be computed again", "no TensorFlow here" in refused.stderr)
        return
    cold = summary(moving.extract(cache, tensorflow=True))
    moving.expect("older schema: computed again", cold.get("computed") == PICTURES)
    moving.expect_warm("older schema: afterwards", moving.extract(cache))


def main() -> int:
    """Move a cache about, and print how many promises were kept."""
    full = common.wants_full(__doc__)
    with common.scratch_folder() as scratch:
        moving = Moving(scratch)
        cache = moved(moving, full)
        newer(moving, cache)
        older(moving, cache, full)
    return common.conclude(
        f"{moving.checks} checks of moved, copied, newer and older caches, "
        f"{len(moving.broken)} promises broken",
        moving.broken,
    )


if __name__ == "__main__":
    raise SystemExit(main())
