"""From files to embeddings with PyTorch's `DataLoader`, and PyTorch's or OpenVINO's network."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networks
import numpy as np
import protocol
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

N_WORKERS = (1, 2, 3)
BATCH = 32
TRIAL = 128
"""Images of the warm-up."""


class Pictures(Dataset[Any]):
    """Pictures of one size, uint8 ``(side, side, 3)``, decoded by one of `DECODERS`."""

    def __init__(self, paths: Sequence[str], side: int, decode: Callable[[str, int], Any]) -> None:
        self.paths, self.side, self.decode = paths, side, decode

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, position: int) -> Any:
        return self.decode(self.paths[position], self.side)


def with_pillow(path: str, side: int) -> Any:
    """Decode and resize with Pillow."""
    with Image.open(path) as opened:
        return torch.from_numpy(np.array(resized(opened.convert("RGB"), side)))


def with_torchvision(path: str, side: int) -> Any:
    """Decode and resize with torchvision, on tensors."""
    image = decode_jpeg(read_file(path), mode=ImageReadMode.RGB)
    return resized(image, side).permute(1, 2, 0).contiguous()


def resized(image: Any, side: int) -> Any:
    """Resize a PIL image or a tensor as `torchvision.transforms.v2.Resize` does."""
    return functional.resize(
        image, [side, side], interpolation=InterpolationMode.BICUBIC, antialias=True
    )


DECODERS = {"Pillow": with_pillow, "torchvision": with_torchvision}


def pytorch(
    paths: list[str], embeddings: str, side: int, weights: str, precision: str
) -> protocol.Contestant:
    """Embed with PyTorch's compiled network."""
    network = networks.pytorch(weights, precision)["compiled with constant weights"]

    def embed(batches: Iterator[Any]) -> Any:
        return torch.cat([network(batch) for batch in batches]).numpy()

    name = f"PyTorch {version('torch')} in {precision}"
    return contestant(name, embed, paths, embeddings, side)


def openvino(paths: list[str], embeddings: str, side: int, model: str) -> protocol.Contestant:
    """Embed with OpenVINO's model, image by image."""
    network = networks.openvino(model)

    def embed(batches: Iterator[Any]) -> Any:
        return network(image for batch in batches for image in batch.numpy())

    name = f"OpenVINO {version('openvino')} in {Path(model).stem}"
    return contestant(name, embed, paths, embeddings, side)


def contestant(
    name: str,
    embed: Callable[[Iterator[Any]], Any],
    paths: list[str],
    embeddings: str,
    side: int,
) -> protocol.Contestant:
    """Return the fastest decoder and number of workers for a network."""

    def run(paths: list[str], decode: Callable[[str, int], Any], n_workers: int) -> Any:
        pictures = Pictures(paths, side, decode)
        return embed(iter(DataLoader(pictures, batch_size=BATCH, num_workers=n_workers)))

    ways = {
        f"{n} workers with {words}": partial(run, decode=decode, n_workers=n)
        for words, decode in DECODERS.items()
        for n in N_WORKERS
    }
    best = protocol.fastest(ways, paths[:TRIAL])

    def compute() -> protocol.Report:
        seconds, rows = protocol.timed(ways[best], paths)
        np.save(embeddings, rows)
        return {"seconds": seconds}

    return f"`DataLoader`, {best}, {name}", compute


if __name__ == "__main__":
    protocol.serve({"pytorch": pytorch, "openvino": openvino})
