"""Peak memory of `extract` on 25,000 images compared with 1,000, each in a separate process.

The images are copies of the photographs. A comment in each copy gives it different bytes, so every
copy is read, decoded, run through VGG16 and committed. Images are resized to 32 pixels, which makes
VGG16 fast and a round end in minutes. What can grow with the number of images does not depend on
their size: lists of paths and digests, and the queues between the stages. The constant part is
smaller than at 150 pixels, so the ratio here is larger than it would be there.

The figure is the peak resident memory of the largest process, which is the command itself; the
decoder processes are smaller.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from benchmarks.common import commands, inputs
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
    """Write `n_images` photographs with different bytes; return lines of ``path,label``."""
    dataset = find_dataset(Options(inputs.photographs(folder), BaseSettings(cache=folder / "data")))
    lines = []
    for number, item in enumerate(itertools.islice(itertools.cycle(dataset.items), n_images)):
        data = item.path.read_bytes()
        assert data.startswith(JPEG), f"{item.path} is not a JPEG file"
        comment = f"{number:09}".encode("ascii")
        segment = b"\xff\xfe" + (2 + len(comment)).to_bytes(2, "big") + comment
        copy = folder / "copies" / f"{number // 1000}" / f"{number}.jpg"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(JPEG + segment + data.removeprefix(JPEG))
        lines.append(f"{copy},{item.label}\n")
    return lines


class Extraction:
    """The command `extract`, run with an empty cache each time.

    Parameters
    ----------
    folder : Path
        Where the list of images and the caches are written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def warm_up(self, images: list[str], engine: str) -> None:
        """Convert the network once, which needs TensorFlow; measured runs then do without it."""
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
    """Return the rows of one engine from its peaks with few and with many images in each round."""
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
