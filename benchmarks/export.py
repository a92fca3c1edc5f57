"""Size and speed of every export of a model, and how far it answers as the model does.

Logistic regression on VGG16 at 150 pixels, in float32 and in int8, on the lesson's photographs. An
exported file gets the 1,000 test photographs one at a time, at their full size.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import inputs
from classify import compare, load_model
from classify.exporting.formats import FORMATS, files_of
from extract import Embedder, load_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from classify.serving.model import Model


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", metavar="DIR", help="keep the embeddings here")
    args = parser.parse_args()
    rows: list[inputs.Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = load_dataset(inputs.photographs(folder))
        for precision in ("float32", "int8"):
            embed = Embedder(
                "vgg16",
                precision=precision,
                weights=inputs.weights(),
                cache=args.cache or folder / "cache",
            )
            run = compare(data, embed, classifiers="logreg", out=folder / precision, progress=False)
            model = load_model(run.folder, cache=args.cache or folder / "cache")
            for found in measure(model, precision, folder):
                print(f"{found.what}: {found.values}", flush=True)
                rows.append(found)
    inputs.publish("export", rows)


def measure(model: Model, precision: str, folder: Path) -> Iterator[inputs.Row]:
    """Export a model to every format that has its precision."""
    for form in FORMATS.values():
        if precision == "int8" and not form.has_int8:
            continue
        exported = model.export(folder / f"{precision}{form.suffix}")
        found, what = exported.comparison, f"export to {form.name} in {precision}"
        size = sum(file.stat().st_size for file in files_of(exported.path))
        # A quantised network rounds in steps, so a probability may differ more.
        closest = "<= 0.01" if precision == "float32" else ""
        yield from (
            inputs.Row(f"{what}: size", [size / 1e6], "MB"),
            inputs.Row(f"{what}: with {form.runtime}", [found.images_per_second], "images/s"),
            inputs.Row(f"{what}: share of test images with the same class",
                       [found.n_same / found.n_images], promised=">= 0.999"),
            inputs.Row(f"{what}: largest difference of a probability",
                       [found.largest_difference], promised=closest),
        )  # fmt: skip


if __name__ == "__main__":
    main()
