"""Bits flip on the disk, files are cut off, headers lie: found, never believed, and repaired.

Each case changes one file of a filled cache, or a saved model. Then `python -m cache verify` finds
it; no row is read that is not what was committed; after ``--repair`` a second verify is clean and
the good rows are still there. Models are held against run.json before they are loaded.

A flip in the index may hit bytes that SQLite keeps but does not use. It counts as harmless only if
every field of every record reads as before; one that turns the schema number into a newer one is
refused, which is all that can be done about it, and is counted apart.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import random
import shutil
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

import common
import numpy as np

from cache import file_records
from cache.cli import main as cache_command
from cache.errors import CacheError, CacheSchemaError
from cache.store import Store
from classify.errors import ModelError
from classify.experiment.recording.folder import RunFolder
from classify.serving.model import Model
from reports.reading import parse_record
from reports.records import RECORD_NAME
from tests.reports.samples import sample
from toolkit.addresses import FileState

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARDS = 3
RECIPES = {"small": (2, 2, 8), "large": (4, 4, 64)}
BLOCK = 4096
MODELS = ("logreg.skops", "svm.skops")


class Cache:
    """A filled cache, and what has to be read from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[tuple[str, str], np.ndarray] = {}
        store = Store(folder)
        for backbone, shape in RECIPES.items():
            canonical = json.dumps({"backbone": backbone, "size": 150})
            fingerprint = hashlib.sha256(canonical.encode()).hexdigest()
            for number in range(SHARDS):
                images = [common.digest(i) for i in common.shard(number)]
                rng = np.random.default_rng([number, len(backbone)])
                rows = rng.standard_normal((len(images), *shape)).astype(np.float32)
                store.append(fingerprint, canonical, images, rows)
                keys = [(fingerprint, image) for image in images]
                self.rows |= dict(zip(keys, rows, strict=True))
        store.memo.remember(
            {
                f"/pictures/{i}.jpg".encode(): (FileState(i, 10**18 + i, i), common.digest(i))
                for i in range(SHARDS * common.ROWS)
            }
        )
        weights = folder / "weights"
        weights.mkdir()
        np.savez(weights / "vgg16-torchvision.npz", np.random.default_rng(0).normal(size=9999))
        data = (weights / "vgg16-torchvision.npz").read_bytes()
        file_records.write_record(
            weights / "vgg16-torchvision.json",
            identity="0" * 64,
            file="vgg16-torchvision.npz",
            sha256=hashlib.sha256(data).hexdigest(),
        )
        file_records.write_record(weights / "resnet50-imagenet.json", identity="1" * 64)
        self.records = read_records(folder)

    def files(self, kind: str) -> list[Path]:
        """Return the files of a kind, relative to the cache."""
        patterns = {"shards": "shards/*.npy", "index": "index.sqlite", "weights": "weights/*"}
        return sorted(path.relative_to(self.folder) for path in self.folder.glob(patterns[kind]))


def read_records(folder: Path) -> list[tuple[object, ...]] | None:
    """Return every field of every record of the index; None if they cannot be read."""
    try:
        with contextlib.closing(sqlite3.connect(folder / "index.sqlite")) as connection:
            return [
                record
                for table in ("recipe", "shard", "row", "memo")
                for record in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
            ]
    except sqlite3.Error:
        return None


def changed_rows(old: bytes, new: bytes, kind: str) -> int:
    """Return how many rows of a file are no longer what they were."""
    if kind != "shards":
        return 0
    rows = np.load(io.BytesIO(old))
    start, n_bytes = len(old) - rows.nbytes, rows[0].nbytes
    return sum(
        old[place : place + n_bytes] != new[place : place + n_bytes]
        for place in range(start, len(old), n_bytes)
    )


class Rot:
    """Counts cases, and what they broke."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.copy = scratch, scratch / "copy"
        self.cache = Cache(scratch / "cache")
        self.outcomes: Counter[str] = Counter()
        self.rows_dropped: Counter[str] = Counter()
        self.broken: list[str] = []

    def change(self, kind: str, file: Path, data: bytes, what: str) -> None:
        """Put other bytes into one file of a copy of the cache, and see what comes of it."""
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.cache.folder, self.copy)
        (self.copy / file).write_bytes(data)
        where = f"{what} of {file}"
        may_go = len(self.cache.rows)
        if kind != "index":
            may_go = changed_rows((self.cache.folder / file).read_bytes(), data, kind)
        outcome = self._judge(kind, where, may_go)
        self.outcomes[f"{kind} {outcome}"] += 1

    def _judge(self, kind: str, where: str, may_go: int) -> str:
        same_records = kind == "index" and read_records(self.copy) == self.cache.records
        clean = self._command("verify") == 0
        silent, _ = self._read(where)
        if silent:
            self.broken.append(f"{where}: {silent} wrong rows were read")
        if clean:
            if same_records:
                return "harmless"
            self.broken.append(f"{where}: not found")
            return "not found"
        try:
            Store(self.copy)
        except CacheSchemaError:
            return "refused as newer"
        except CacheError:
            pass
        for options in (("--repair",), ()):
            if self._command("verify", *options) != 0:
                self.broken.append(f"{where}: verify {options} is not clean")
        self._look_at_repaired(kind, where, may_go)
        return "found"

    def _look_at_repaired(self, kind: str, where: str, may_go: int) -> None:
        silent, gone = self._read(where)
        if silent:
            self.broken.append(f"{where}: {silent} wrong rows after the repair")
        if gone > may_go:
            self.broken.append(f"{where}: {gone} rows gone after the repair, of {may_go} bad ones")
        if kind == "index":
            limits = (0, 1, common.ROWS, len(self.cache.rows) - 1, len(self.cache.rows))
            most = next(limit for limit in limits if gone <= limit)
            self.rows_dropped[f"{where.split()[0]}: at most {most} rows"] += 1

    def _read(self, where: str) -> tuple[int, int]:
        """Read all rows; return how many were wrong, and how many could not be read."""
        try:
            store = Store(self.copy)
        except CacheError:
            return 0, len(self.cache.rows)
        wrong = gone = 0
        keys = list(self.cache.rows)
        for start in range(0, len(keys), common.ROWS):
            some = keys[start : start + common.ROWS]
            found = self._read_some(store, some, where)
            if found is None:
                for key in some:
                    one = self._read_some(store, [key], where)
                    gone += one is None
                    wrong += one is not None and (one[0] != self.cache.rows[key]).any()
            else:
                wrong += sum(
                    (row != self.cache.rows[key]).any()
                    for key, row in zip(some, found, strict=True)
                )
        return int(wrong), gone

    def _read_some(
        self, store: Store, keys: list[tuple[str, str]], where: str
    ) -> np.ndarray | None:
        try:
            return store.read(keys[0][0], [image for _, image in keys])
        except CacheError:
            return None
        except Exception as error:  # noqa: BLE001 - any other is what must not happen
            self.broken.append(f"{where}: reading failed with {error!r}")
            return None

    def _command(self, *arguments: str) -> int:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            try:
                return cache_command([*arguments, "--cache", str(self.copy), "--quiet"])
            except Exception as error:  # noqa: BLE001 - any is what must not happen
                self.broken.append(f"{arguments} failed with {error!r}")
                return 1


def flip(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Return data with one bit flipped, and where that was."""
    changed = bytearray(data)
    place, bit = rng.randrange(len(data)), rng.randrange(8)
    changed[place] ^= 1 << bit
    return bytes(changed), f"flipped bit {bit} of byte {place}"


def flips(rot: Rot, kind: str, times: int, rng: random.Random) -> None:
    """Flip bits in files of one kind, one at a time."""
    common.say(f"{times} bit flips in {kind}")
    files = rot.cache.files(kind)
    sizes = [(rot.cache.folder / file).stat().st_size for file in files]
    for _ in range(times):
        (file,) = rng.choices(files, sizes)
        rot.change(kind, file, *flip((rot.cache.folder / file).read_bytes(), rng))


def cuts(rot: Rot, kind: str, every: int) -> None:
    """Cut files off at every 4 KiB."""
    for file in rot.cache.files(kind):
        data = (rot.cache.folder / file).read_bytes()
        for length in range(0, len(data), every * BLOCK):
            rot.change(kind, file, data[:length], f"cut at byte {length}")


def lies(rot: Rot, every: int) -> None:
    """Give shards headers that are not theirs."""
    for file in rot.cache.files("shards")[::every]:
        data = (rot.cache.folder / file).read_bytes()
        body = data[128:]
        for what, header in _lying_headers(data):
            rot.change("shards", file, header + body, what)


def _lying_headers(data: bytes) -> Iterator[tuple[str, bytes]]:
    array = np.lib.format.read_array(io.BytesIO(data))
    for what, shape, dtype, fortran in (
        ("more rows", (len(array) + 9, *array.shape[1:]), "<f4", False),
        ("another shape", (array.size,), "<f4", False),
        ("a huge shape", (10**15, 10**15), "<f4", False),
        ("a negative shape", (-1, *array.shape[1:]), "<f4", False),
        ("another dtype", array.shape, "<i4", False),
        ("a longer dtype", array.shape, "<f8", False),
        ("Fortran order", array.shape, "<f4", True),
        ("Python objects", array.shape, "|O", False),
    ):
        text = repr({"descr": dtype, "fortran_order": fortran, "shape": shape}).encode()
        yield what, data[:10] + text.ljust(117) + b"\n"
    yield "version 9", data[:6] + b"\x09\x00" + data[8:128]
    yield "a header of 65,535 bytes", data[:8] + b"\xff\xff" + data[10:128]
    yield "garbage", bytes(random.Random(0).randbytes(128))
    yield "brackets without end", data[:10] + b"(" * 117 + b"\n"
    yield "a zip file", b"PK\x03\x04" + data[4:128]
    yield "a pickle", b"\x80\x04c__builtin__\nexit\n)R." + data[23:128]


class Models:
    """A run with saved models."""

    def __init__(self, folder: Path) -> None:
        from classify import registry

        self.folder = folder
        folder.mkdir()
        rng = np.random.default_rng(0)
        y = np.array(["cat", "dog"] * 20)
        X = rng.normal(size=(40, 50)).astype(np.float32) + (y == "dog")[:, None]
        run, _ = sample(["cat", "dog"], classifiers=("logreg", "svm"))
        results = []
        for result in run.results:
            estimator = registry.create(result.classifier, seed=0)
            estimator.fit(X, y)
            file, sha256 = RunFolder(folder).save_model(estimator, result.classifier)
            results.append(dataclasses.replace(result, model=file, model_sha256=sha256))
        text = dataclasses.replace(run, results=results).to_json()
        (folder / RECORD_NAME).write_text(text, encoding="utf-8")
        assert parse_record(text).results[0].model_sha256

    def change(self, file: str, data: bytes, what: str) -> str | None:
        """Put other bytes into a model; return what is wrong with what comes of it."""
        path = self.folder / file
        whole = path.read_bytes()
        path.write_bytes(data)
        try:
            Model(self.folder, path.stem)
        except ModelError as error:
            return None if "its SHA-256 should be" in str(error) else f"{what} of {file}: {error}"
        except Exception as error:  # noqa: BLE001 - any other is what must not happen
            return f"{what} of {file}: {error!r}"
        finally:
            path.write_bytes(whole)
        return f"{what} of {file}: loaded"


def main() -> int:
    """Let bits rot, and print how often and how it was found."""
    full = common.wants_full(__doc__)
    rng = random.Random(common.SEED)
    share = 1.0 if full else 0.05
    with common.scratch_folder() as scratch:
        models = Models(scratch / "run")
        n_models = int(100 * share)
        common.say(f"{n_models} bit flips in models")
        of_models = []
        for i in range(n_models):
            file = MODELS[i % 2]
            data = (models.folder / file).read_bytes()
            of_models.append(models.change(file, *flip(data, rng)))
        n_flips = n_models
        rot = Rot(scratch)
        for kind, times in (("shards", 400), ("index", 400), ("weights", 100)):
            flips(rot, kind, int(times * share), rng)
            n_flips += int(times * share)
        common.say("cutting off at 4 KiB")
        for kind in ("shards", "index", "weights"):
            cuts(rot, kind, 1 if full else 23)
        for file in MODELS:
            data = (models.folder / file).read_bytes()
            lengths = range(0, len(data), BLOCK)
            of_models += [models.change(file, data[:n], f"cut at byte {n}") for n in lengths]
        common.say("lying headers")
        lies(rot, 1 if full else SHARDS)
    rot.broken += [problem for problem in of_models if problem]
    rot.outcomes["models found"] = sum(problem is None for problem in of_models)
    for what, count in sorted(rot.outcomes.items()):
        common.say(f"{what}: {count}")
    common.say(f"dropped by repairs of the index: {dict(rot.rows_dropped)}")
    found = sum(n for what, n in rot.outcomes.items() if what.endswith(" found"))
    return common.conclude(
        f"{sum(rot.outcomes.values())} cases of rot, {n_flips} of them bit flips: {found} found, "
        f"{rot.outcomes['index harmless']} in unused bytes of the index, "
        f"{rot.outcomes['index refused as newer']} refused as a newer schema; "
        f"{sum('wrong rows' in line for line in rot.broken)} with wrong rows read, "
        f"{len(rot.broken)} promises broken",
        rot.broken,
    )


if __name__ == "__main__":
    raise SystemExit(main())
