"""From files to embeddings: ours compared with PyTorch's `DataLoader` before a network.

Ours is the whole of `extract` with an empty cache: it also hashes the files and writes the
embeddings to the disk, which the rivals only keep in memory. The network behind the `DataLoader` is
PyTorch's compiled one or our own in OpenVINO, image by image. They must find our embeddings, up to
the rounding of their decoders.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.common import inputs
from benchmarks.extract import whole
from benchmarks.rivals import turns
from benchmarks.rivals.networks import Case, cases, cosine_distance
from benchmarks.rivals.turns import Rival

SAME = 1e-3
"""Largest mean cosine distance."""


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=480)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    turns.interpreter()
    published = []
    with tempfile.TemporaryDirectory() as name:
        for case in cases(args.images, Path(name)):
            ours = whole(case.base, case.engine, case.paths, case.folder)
            seconds = turns.take(ours, rivals(case), args.rounds)
            what, n_images = f"files to embeddings in {case.precision}", len(case.paths)
            published += turns.rows(what, seconds, ">= 1.2", n_images)
    inputs.publish("pipeline", published)


def rivals(case: Case) -> list[Rival]:
    """Return the rivals in a precision."""
    settings = {
        "paths": [str(path) for path in case.paths],
        "embeddings": case.embeddings,
        "side": case.base.recipe.size,
    }
    check = case.checked(cosine_distance, SAME)
    found = [Rival("pipeline", "openvino", settings | {"model": case.model}, check)]
    if case.precision == "float32":
        files = {"weights": case.weights, "precision": "float32"}
        found.append(Rival("pipeline", "pytorch", settings | files, check))
    return found


if __name__ == "__main__":
    main()
