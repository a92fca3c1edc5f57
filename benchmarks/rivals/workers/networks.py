"""VGG16's convolutions in PyTorch and OpenVINO: uint8 images in, embeddings out."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

CORES = len(os.sched_getaffinity(0))
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of the pixels that torchvision's weights were trained on."""


def pytorch(weights: str, precision: str) -> dict[str, Callable[[Any], Any]]:
    """Return functions of a batch: the network as it is, compiled, and with constant weights.

    Each takes a tensor of uint8 ``(n, side, side, 3)`` and returns float32 in that order of axes.
    """
    import torch

    torch.set_num_threads(CORES)
    network = _network(weights, getattr(torch, precision))
    compiled = partial(torch.compile, network, dynamic=False)  # anew for every size of batch
    ways = {
        "eager": network,
        "compiled": compiled(),
        "compiled with constant weights": compiled(options={"freezing": True}),
    }
    return {words: torch.inference_mode()(way) for words, way in ways.items()}


def _network(weights: str, dtype: Any) -> Any:
    import torch
    from torchvision.models import vgg16

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base = vgg16(weights=None).features
            self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
            self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))

        def forward(self, images: Any) -> Any:
            pixels = (images.permute(0, 3, 1, 2).float() - self.mean) / self.deviation
            return self.base(pixels.to(dtype)).float().permute(0, 2, 3, 1)

    network = Network().eval()
    arrays = list(np.load(weights).values())
    convolutions = [layer for layer in network.base if isinstance(layer, torch.nn.Conv2d)]
    for layer, kernel, bias in zip(convolutions, arrays[::2], arrays[1::2], strict=True):
        layer.weight.data = torch.tensor(kernel.transpose(3, 2, 0, 1).copy())
        layer.bias.data = torch.tensor(bias)
    network.base.to(dtype)
    return network.to(memory_format=torch.channels_last)


def openvino(model: str) -> Callable[[Iterable[NDArray[np.uint8]]], NDArray[np.float32]]:
    """Return a function that embeds image after image, as many at once as OpenVINO advises."""
    import openvino as ov

    compiled = ov.Core().compile_model(
        model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    )
    queue = ov.AsyncInferQueue(compiled)

    def embed(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        rows: dict[int, NDArray[np.float32]] = {}

        def keep(request: Any, position: int) -> None:
            rows[position] = request.get_output_tensor().data[0].copy()

        queue.set_callback(keep)
        n_images = 0
        for image in images:
            queue.start_async([image[np.newaxis]], n_images)
            n_images += 1
        queue.wait_all()
        return np.stack([rows[position] for position in range(n_images)])

    return embed
