"""Forward passes of VGG16 in PyTorch, in Keras, and in OpenVINO's own benchmark."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import networks
import numpy as np
import protocol

BATCHES = (16, 32)
TRIAL = 96
"""Images of the warm-up."""


def pytorch(images: str, embeddings: str, weights: str, precision: str) -> protocol.Contestant:
    """Run PyTorch's network on decoded images, eagerly or compiled, in small or large batches."""
    import torch

    def run(pixels: Any, way: Any, size: int) -> Any:
        return torch.cat([way(batch) for batch in pixels.split(size)])

    ways = {
        f"{words}, batches of {size}": partial(run, way=way, size=size)
        for words, way in networks.pytorch(weights, precision).items()
        for size in BATCHES
    }
    pixels = torch.from_numpy(np.load(images))
    best = protocol.fastest(ways, pixels[:TRIAL])

    def compute() -> protocol.Report:
        seconds, rows = protocol.timed(ways[best], pixels)
        np.save(embeddings, rows.numpy())
        return {"seconds": seconds}

    return f"PyTorch {version('torch')} in {precision}, {best}", compute


def keras(images: str, embeddings: str, weights: str) -> protocol.Contestant:
    """Run `keras.Model.predict` on preprocessed images."""
    from keras.applications import VGG16

    side = np.load(images).shape[1]
    model = VGG16(include_top=False, weights=None, input_shape=(side, side, 3))
    model.set_weights(list(np.load(weights).values()))
    pixels = (np.load(images).astype(np.float32) - networks.MEAN) / networks.DEVIATION
    pixels = pixels.astype(np.float32)
    ways = {
        f"batches of {size}": partial(model.predict, batch_size=size, verbose=0) for size in BATCHES
    }
    best = protocol.fastest(ways, pixels[:TRIAL])

    def compute() -> protocol.Report:
        seconds, rows = protocol.timed(ways[best], pixels)
        np.save(embeddings, rows)
        return {"seconds": seconds}

    return f"`keras.Model.predict` {version('keras')}, {best}", compute


def benchmark_app(images: str, model: str) -> protocol.Contestant:
    """Run OpenVINO's `benchmark_app` on the same model, which draws its own images."""
    n_images = len(np.load(images, mmap_mode="r"))
    command = str(Path(sys.executable).parent / "benchmark_app")

    def compute() -> protocol.Report:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [
                    *(command, "-m", model, "-d", "CPU", "-hint", "throughput"),
                    *("-infer_precision", "f32", "-niter", str(n_images)),
                    *("-report_type", "no_counters", "-json_stats", "-report_folder", folder),
                ],
                check=True,
            )
            report = json.loads((Path(folder) / "benchmark_report.json").read_text("utf-8"))
        rate = float(report["execution_results"]["throughput"])
        return {"seconds": n_images / rate}

    return f"`benchmark_app` of OpenVINO {version('openvino')}", compute


if __name__ == "__main__":
    protocol.serve({"pytorch": pytorch, "keras": keras, "benchmark_app": benchmark_app})
