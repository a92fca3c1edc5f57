"""Peak memory of `extract` on 25,000 images against 1,000, in turn, each in a process of its own.

The images are the photographs over and over, each copy made another file by a comment in it, so
that all are read, decoded, run through VGG16 and committed. They are made 32 pixels wide, which
VGG16 is quick at, so that a round ends in minutes. What can grow with the number of images does not
depend on that: lists of paths and digests, and the queues between the stages. What does not grow is
less than at 150 pixels, so the ratio is larger here than it is there.

What is measured is the peak resident memory of the largest process, which is the command itself;
the decoders, in processes of their own, are smaller.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from benchmarks import commands, inputs
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset

FEW = 1000
ENGINES = {"tensorflow": "TensorFlow", "openvino": "OpenVINO"}
JPEG = b"\xff\xd8"


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=25_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    names = [name for name in ENGINES if find_spec(name) is not None]
    with tempfile.TemporaryDirectory() as folder:
        extraction = Extraction(Path(folder))
        many = copies(extraction.folder, args.images)
        few = many[:: len(many) // FEW][:FEW]
        for engine in names:
            extraction.warm_up(few, engine)
        peaks: dict[str, list[tuple[float, float]]] = {engine: [] for engine in names}
        for _, engine in itertools.product(range(args.rounds), names):
            peaks[engine].append((extraction.peak(few, engine), extraction.peak(many, engine)))
    rows = [figures(ENGINES[engine], args.images, peaks[engine]) for engine in names]
    inputs.publish("memory", list(itertools.chain(*rows)))


def copies(folder: Path, n_images: int) -> list[str]:
    """Write `n_images` photographs, no two of the same bytes; return lines of ``path,label``."""
    dataset = find_dataset(Options(inputs.photographs(folder), BaseSettings(cache=folder / "data")))
    lines = []
    for number, item in enumerate(itertools.islice(itertools.cycle(dataset.items), n_images)):
        data = item.path.read_bytes()
        assert data.startswith(JPEG), f"{item.path} is no JPEG"
        comment = f"{number:09}".encode("ascii")
        segment = b"\xff\xfe" + (2 + len(comment)).to_bytes(2, "big") + comment
        copy = folder / "copies" / f"{number // 1000}" / f"{number}.jpg"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(JPEG + segment + data.removeprefix(JPEG))
        lines.append(f"{copy},{item.label}\n")
    return lines


class Extraction:
    """The command `extract`, each time with an empty cache.

    Parameters
    ----------
    folder : Path
        Where the images' list and the caches are written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def warm_up(self, images: list[str], engine: str) -> None:
        """Convert the network once, which takes TensorFlow: no later run does, so none here."""
        cache = self._run(images, engine)[0]
        if (cache / "models").is_dir():
            (cache / "models").rename(self._models(engine))
        shutil.rmtree(cache)

    def peak(self, images: list[str], engine: str) -> float:
        """Return the peak resident memory in MiB."""
        cache, done = self._run(images, engine)
        shutil.rmtree(cache)
        words = f"{engine}, {len(images):,} images"
        print(f"{words}: {done.peak:.0f} MiB, {done.seconds:.0f} s", flush=True)
        return done.peak

    def _run(self, images: list[str], engine: str) -> tuple[Path, commands.Done]:
        listed, cache = self.folder / "images.csv", self.folder / "cache"
        listed.write_text("".join(["path,label\n", *images]))
        if self._models(engine).is_dir():
            shutil.copytree(self._models(engine), cache / "models")
        done = commands.run(
            *("extract", "--data", str(listed), "--cache", str(cache), "--engine", engine),
            *("--size", "32", "--weights", inputs.weights()),
        )
        assert done.summary["computed"] == len(images)
        return cache, done

    def _models(self, engine: str) -> Path:
        return self.folder / f"models-{engine}"


def figures(engine: str, n_images: int, pairs: list[tuple[float, float]]) -> list[inputs.Row]:
    """Return the rows of one engine from the peaks, of few and of many, in its rounds."""
    return [
        inputs.Row(
            f"peak memory of `extract`, {n_images:,} / {FEW:,} images, {engine}",
            [many / few for few, many in pairs],
            promised="<= 1.10",
        ),
        inputs.Row(
            f"peak memory of `extract`, {n_images:,} images, {engine}",
            [many for _, many in pairs],
            "MiB",
        ),
    ]


if __name__ == "__main__":
    main()
