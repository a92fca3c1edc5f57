"""Forward passes of VGG16 on decoded photographs, compared with PyTorch, Keras and OpenVINO's own.

Ours in float32 and int8, in the batches of `extract`; `benchmark_app` on the very model file of our
engine; Keras and PyTorch in float32, and PyTorch in bfloat16 against int8, on processors with such
instructions: on others, it is several times slower than in float32. In float32, PyTorch and Keras
must find our embeddings.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.common import inputs
from benchmarks.extract import alone
from benchmarks.rivals import turns
from benchmarks.rivals.networks import Case, cases, cosine_distance, relative_error
from benchmarks.rivals.turns import Rival

SAME = 1e-3
"""Largest relative error in float32."""
ALIKE = 0.02
"""Largest mean cosine distance between PyTorch in bfloat16 and ours in int8."""


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
            seconds = turns.take(alone(case.engine, case.images), rivals(case), args.rounds)
            what, n_images = f"forward pass in {case.precision}", len(case.paths)
            published += turns.rows(what, seconds, ">= 1", n_images)
    inputs.publish("forward", published)


def rivals(case: Case) -> list[Rival]:
    """Return the rivals in a precision."""
    images = str(case.folder / "images.npy")
    np.save(images, case.images)
    files = {"images": images, "embeddings": case.embeddings, "weights": case.weights}
    app = Rival("forward", "benchmark_app", {"images": images, "model": case.model}, anything)
    if case.precision == "int8":
        check = case.checked(cosine_distance, ALIKE)
        pytorch = Rival("forward", "pytorch", files | {"precision": "bfloat16"}, check)
        return [app, pytorch] if has_bfloat16() else [app]
    check = case.checked(relative_error, SAME)
    return [
        app,
        Rival("forward", "pytorch", files | {"precision": "float32"}, check),
        Rival("forward", "keras", files, check, sys.executable),
    ]


def has_bfloat16() -> bool:
    """Return whether an x86 processor on Linux multiplies in bfloat16."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)


def anything(_: object) -> None:
    """Accept what `benchmark_app` reports: it runs our model on images that it draws."""


if __name__ == "__main__":
    main()
