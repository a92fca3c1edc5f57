"""Canary files given as models, as weights, and put into the cache: none runs code.

Each is one clear error with exit status 2, or is passed over. Names of classes and files that look
like HTML or formulas are put into the tables and pages. With ``--full``, Keras's own formats too
are shown to sing, which takes TensorFlow, and every canary takes the place of the weights from
torchvision.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import cv2  # noqa: E402 - the path above comes first
import numpy as np  # noqa: E402 - the path above comes first
import skops.io  # noqa: E402 - the path above comes first
from escaping import escapes  # noqa: E402 - the path above comes first
from hostile.canaries import (  # noqa: E402 - the path above comes first
    CLASSES,
    N_FEATURES,
    keras_songs,
    lying_models,
    lying_weights,
    songs,
    trained,
    zipped,
)

from cache.store import Store  # noqa: E402 - the path above comes first
from classify import predict  # noqa: E402 - the path above comes first
from extract.backbones import keras_weights  # noqa: E402 - the path above comes first
from extract.backbones import weights as pretrained  # noqa: E402 - the path above comes first
from extract.recipe import Recipe  # noqa: E402 - the path above comes first
from reports.records import RECORD_NAME  # noqa: E402 - the path above comes first
from tests.reports.samples import sample, with_recipe  # noqa: E402 - the path above comes first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS_AT_MOST = 60
BYTES_AT_MOST = 6 * 2**30
NOWHERE = "http://127.0.0.1:9"


def main() -> int:
    """Give every canary to the toolkit, and print how many there were and how many ran."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="all canaries, also in Keras's own formats"
    )
    full = parser.parse_args().full
    print("nothing is drawn: no seed", file=sys.stderr)
    # What would take more memory, or reach for the network, fails at once.
    resource.setrlimit(resource.RLIMIT_AS, (BYTES_AT_MOST, resource.RLIM_INFINITY))
    os.environ |= {"PIP_INDEX_URL": NOWHERE, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    keras_weights.KERAS_STORAGE = NOWHERE
    broken: list[str] = []
    ran = count = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["KERAS_HOME"] = str(folder / "keras")
        place = Place(folder)
        broken += [f"the sound run: {what}" for what in place.attempt(status=(0,))]
        for canary, given in (*as_models(place), *as_weights(place), *in_the_cache(place, full)):
            print(f"{count}: {canary[:70]:70}", end="\r", file=sys.stderr)
            count += 1
            found = list(given())
            ran += place.sang()
            broken += [f"{canary}: {what}" for what in found]
            place.tidy()
        broken += [f"{name} cannot sing" for name in voiceless(place, full)]
    broken += escapes()
    for line in broken:
        print(line, file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"at most {peak} MiB of memory", file=sys.stderr)
    print(f"{count} canaries, {ran} ran")
    return bool(broken or ran)


class Place:
    """A sound run, with a picture whose embedding is in the cache, so that no network is built."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.song = folder, folder / "song"
        self.run, self.cache, self.picture = folder / "run", folder / "cache", folder / "a.png"
        self.weights = folder / "weights.npz"
        self.sound = folder / "sound"
        self.sound.mkdir()
        picture = np.zeros((40, 40, 3), np.uint8)
        self.picture.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        np.savez(self.weights, np.arange(9, dtype=np.float32))
        identity = pretrained.resolve(str(self.weights), "vgg16", cache=folder).identity
        self.recipe = Recipe(weights=identity, preprocessing="caffe", pooling="avg")
        digest = hashlib.sha256(self.picture.read_bytes()).hexdigest()
        store = Store(self.sound / "cache")
        embedding = np.ones((1, N_FEATURES), np.float32)
        store.append(self.recipe.fingerprint, self.recipe.canonical, [digest], embedding)
        del store
        (self.sound / "run").mkdir()
        skops.io.dump(trained(), self.sound / "run" / "logreg.skops")
        self.tidy()

    def tidy(self) -> None:
        """Put the sound run and cache into their places."""
        for path in (self.run, self.cache):
            shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(self.sound / path.name, path)
        self.song.unlink(missing_ok=True)
        self.record("logreg.skops")

    def record(self, model: str, weights_source: str | None = None) -> None:
        """Write the run's record, which names `model`."""
        run, _ = sample(list(CLASSES), classifiers=("logreg",))
        recipe = {**self.recipe.to_dict(), "weights_source": weights_source or str(self.weights)}
        result = dataclasses.replace(run.results[0], model=model)
        run = dataclasses.replace(with_recipe(run, recipe), results=[result])
        (self.run / RECORD_NAME).write_text(run.to_json())

    def sang(self) -> bool:
        """Return whether any code has run."""
        return self.song.exists()

    def attempt(self, *options: str, status: tuple[int, ...] = (2,)) -> Iterator[str]:
        """Classify the picture; yield what is not as promised."""
        arguments = [str(self.run), str(self.picture), "--cache", str(self.cache), *options]
        out, err = io.StringIO(), io.StringIO()
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(SECONDS_AT_MOST)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                found = predict.main([*arguments, "--quiet"])
        except BaseException as error:  # noqa: BLE001 - counted as a broken promise
            yield f"{type(error).__name__}: {error}"
            return
        finally:
            signal.alarm(0)
        complaints = err.getvalue().splitlines()
        if found not in status:
            yield f"exit status {found}, {out.getvalue()!r}, {complaints}"
        elif found == 2 and (len(complaints) != 1 or not complaints[0].startswith("error: ")):
            yield f"not one clear error: {complaints}"
        elif found == 0 and not out.getvalue().startswith(f"{self.picture}  "):
            yield f"another answer: {out.getvalue()!r}"
        if self.sang():
            yield "it ran"


def _too_long(*_: object) -> None:
    raise TimeoutError(f"no answer within {SECONDS_AT_MOST} s")


# --- canaries in their places: a name, and what gives it to the toolkit and yields complaints -----

Given = tuple[str, "Callable[[], Iterator[str]]"]


def as_models(place: Place) -> Iterator[Given]:
    """Yield canaries that a run's record names as its model."""

    def named(name: str, data: bytes) -> Callable[[], Iterator[str]]:
        def given() -> Iterator[str]:
            (place.run / name).write_bytes(data)
            place.record(name)
            yield from place.attempt()

        return given

    def lying(model: str, make: Callable[[Path], object] = lambda _: None) -> Given:
        def given() -> Iterator[str]:
            make(place.run / Path(model).name)
            place.record(model)
            yield from place.attempt()

        return f"{model or 'no name'} as a model", given

    holding = {name: data for name, (data, _) in songs(place.folder).items()}
    holding |= keras_songs(place.folder)
    for name, data in holding.items():
        for suffix in (".skops", ".npz", ".pkl", ".joblib", ".keras", ".h5"):
            yield f"{name}, called {suffix}", named(f"model{suffix}", data)
    for name, data in lying_models().items():
        for suffix in (".skops", ".npz"):
            yield f"{name}, called {suffix}", named(f"model{suffix}", data)
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(place.run / "logreg.skops", elsewhere / "away.skops")
    for model in ("../elsewhere/away.skops", f"{elsewhere}/away.skops", "..", ".", "", "/", "a\0b"):
        yield lying(model)
    yield lying("fifo.skops", os.mkfifo)
    yield lying("folder.skops", Path.mkdir)
    yield lying("zero.npz", lambda path: path.symlink_to("/dev/zero"))
    yield lying("loop.npz", lambda path: path.symlink_to(path.name))


def as_weights(place: Place) -> Iterator[Given]:
    """Yield canaries that ``--weights`` names, and that a record names."""
    elsewhere = place.folder / "other.h5"
    shutil.copy(place.weights, elsewhere)
    holding = {name: data for name, (data, _) in songs(place.folder).items()}
    holding |= keras_songs(place.folder)
    files = {
        f"{name}{end}": data
        for name, data in holding.items()
        for end in (".npz", ".h5", ".npy", ".weights.h5", ".keras", ".pkl")
    }
    files |= lying_weights(elsewhere)
    folder = place.folder / "given"
    folder.mkdir()
    for name, data in files.items():
        path = folder / name
        path.write_bytes(data)
        yield f"{name} as weights", lambda path=path: place.attempt("--weights", str(path))
    os.mkfifo(folder / "fifo.npz")
    places = ["fifo.npz", ".", "gone.h5", "/dev/zero", "~nobody-of-this-name/w.h5", "a\0b"]
    for spec in places:
        yield (
            f"{spec!r} as weights",
            lambda spec=spec: place.attempt("--weights", str(Path(folder, spec))),
        )

    def recorded(spec: str) -> Iterator[str]:
        place.record("logreg.skops", spec)
        yield from place.attempt()

    for spec in (str(folder / "a pickle.npz"), str(folder / "fifo.npz"), "~nobody/w.h5", "a\0b"):
        yield f"{spec!r} as a record's weights", lambda spec=spec: recorded(spec)


def in_the_cache(place: Place, full: bool) -> Iterator[Given]:
    """Yield canaries in the folders of the cache."""
    holding = {name: data for name, (data, _) in songs(place.folder).items()}
    holding |= {"a shape of terabytes": lying_models()["a shape of terabytes"], "text": b"text"}
    holding |= {"a member that is no array": zipped({"a.txt": b"hello"})}
    records = {"a number": b'{"identity": 5}', "a list": b"[]", "depth": b'{"a":' * 100_000}

    def put(path: str, data: bytes, *options: str) -> Callable[[], Iterator[str]]:
        def given() -> Iterator[str]:
            for target in place.cache.glob(path) if "*" in path else [place.cache / path]:
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(data)
            yield from place.attempt(*options, status=(0, 2))

        return given

    for name, data in holding.items():
        file = "weights/vgg16-torchvision.npz"
        if full or name in ("a pickle", "arrays of objects", "a shape of terabytes"):
            # pip looks for a sound copy, which takes it a second.
            yield f"{name} as {file}", put(file, data, "--weights", "torchvision")
        yield f"{name} in place of a shard", put("shards/*.npy", data)
        yield f"{name} beside the shards", put(f"shards/{'0' * 64}.npy", data)
        yield f"{name} in place of the index", put("index.sqlite", data)
    for name, data in {**holding, **records, "a sealed number": sealed(identity=5)}.items():
        file = "weights/vgg16-imagenet.json"
        yield f"{name} as {file}", put(file, data, "--weights", "imagenet")


def sealed(**fields: object) -> bytes:
    """Return a record with the digest that `cache.file_records` gives it."""
    seal = hashlib.sha256(json.dumps(fields, sort_keys=True).encode("ascii")).hexdigest()
    return json.dumps({**fields, "seal": seal}).encode()


def voiceless(place: Place, full: bool) -> Iterator[str]:
    """Yield the canaries that do not sing even for one who trusts them."""
    for name, (data, trust) in songs(place.folder).items():
        path = place.folder / "trusted"
        path.write_bytes(data)
        with contextlib.suppress(Exception):
            trust(path)
        if not place.sang():
            yield name
        place.song.unlink(missing_ok=True)
    if not full:
        return
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    import keras

    keras.config.enable_unsafe_deserialization()
    for name, data in keras_songs(place.folder).items():
        path = place.folder / f"trusted{Path(name).suffix or '.' + name.rpartition('.')[2]}"
        path.write_bytes(data)
        keras.models.load_model(path, safe_mode=False, compile=False)
        if not place.sang():
            yield name
        place.song.unlink(missing_ok=True)


if __name__ == "__main__":
    raise SystemExit(main())
