"""Resizing images of any size in a network, as the training images were resized.

A resized image is the product of a matrix with its rows and another one with its columns. That
takes only operators that every runtime has, and gives the pixels of Pillow's bicubic filter and of
OpenCV's `INTER_LANCZOS4`, whose counterparts in the runtimes differ or are missing.
"""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from extract.images.pixels import PixelSettings

_WHITE = 255.0
_TAPS = 8
"""Pixels that `INTER_LANCZOS4` looks at; beyond the border, the outermost one is repeated."""

_STEPS = 2048.0
"""OpenCV rounds the weights to multiples of one part in so many."""


class _Side(NamedTuple):
    """One side of an image: which part of it is used, and where that comes to lie.

    Tensors of float32; all but `positions` have the shape ``(1, 1)``.
    """

    positions: Any
    """Of its pixels, ``(1, length)``."""
    first: Any
    length: Any
    new_first: Any
    new_length: Any


def square(images: Any, pixels: PixelSettings) -> Any:
    """Return images as `extract.images.resizing.resize` returns them.

    Parameters
    ----------
    images : tensor of uint8, shape (n, height, width, 3)
        RGB; of Keras, symbolic or not.
    pixels : PixelSettings
        How.

    Returns
    -------
    tensor of float32, shape (n, size, size, 3)
        Whole numbers from 0 to 255.
    """
    ops = import_keras().ops
    planes = ops.cast(ops.transpose(images, (0, 3, 1, 2)), "float32")
    height, width = _sides(planes, pixels)
    if pixels.interpolation == "lanczos4":
        rows = ops.matmul(planes, ops.transpose(_lanczos4(width, pixels.size), (0, 1, 3, 2)))
        resized = ops.matmul(_lanczos4(height, pixels.size), rows)
    else:
        rows = ops.matmul(planes, ops.transpose(_bicubic(width, pixels.size), (0, 1, 3, 2)))
        resized = ops.matmul(_bicubic(height, pixels.size), _whole(rows))
    resized = _whole(resized)
    if pixels.aspect == "pad":
        inside = (
            _is_inside(height, pixels.size)[..., None] * _is_inside(width, pixels.size)[:, :, None]
        )
        resized = resized * inside + _WHITE * (1.0 - inside)
    return ops.transpose(resized, (0, 2, 3, 1))


def _sides(planes: Any, pixels: PixelSettings) -> tuple[_Side, _Side]:
    """Return height and width of images, ``(n, 3, height, width)``."""
    ops = import_keras().ops
    column, row = planes[:1, 0, :, 0], planes[:1, 0, 0, :]
    positions = [ops.cumsum(ops.ones_like(side), axis=1) - 1.0 for side in (column, row)]
    lengths = [ops.max(side, axis=1, keepdims=True) + 1.0 for side in positions]
    size, zero = float(pixels.size), ops.zeros_like(lengths[0])
    sides = []
    for side, length in zip(positions, lengths, strict=True):
        first, used, new_first, new = zero, length, zero, zero + size
        if pixels.aspect == "crop":
            used = ops.minimum(*lengths)
            first = ops.floor((length - used) / 2.0)
        elif pixels.aspect == "pad":
            new = ops.maximum(ops.round(length * size / ops.maximum(*lengths)), 1.0)
            new_first = ops.floor((size - new) / 2.0)
        sides.append(_Side(side, first, used, new_first, new))
    return sides[0], sides[1]


def _bicubic(side: _Side, size: int) -> Any:
    """Return the matrix of Pillow's bicubic filter, ``(1, 1, size, length)``."""
    ops = import_keras().ops
    within = side.positions - side.first
    is_used = ops.logical_and(within > -0.5, within < side.length - 0.5)
    # Whole numbers until they are divided: twice the distance of two centres, times `new_length`.
    old = ops.expand_dims((2.0 * within + 1.0) * side.new_length, 1)
    new = ops.expand_dims((2.0 * _new_positions(side, size) + 1.0) * side.length, 2)
    widest = ops.expand_dims(ops.maximum(side.length, side.new_length), 2)
    weights = _keys_cubic(ops.abs(old - new) / (2.0 * widest))
    weights = weights * ops.expand_dims(ops.cast(is_used, "float32"), 1)
    total = ops.sum(weights, axis=2, keepdims=True)
    # Rows of padding have no pixel near them.
    total = ops.where(ops.abs(total) < 1e-6, ops.ones_like(total), total)
    return ops.expand_dims(weights / total, 1)


def _keys_cubic(x: Any) -> Any:
    """Return Keys's cubic with a = -0.5, which is zero from 2 on."""
    ops = import_keras().ops
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return ops.where(x < 1.0, near, ops.where(x < 2.0, far, ops.zeros_like(x)))


def _lanczos4(side: _Side, size: int) -> Any:
    """Return the matrix of OpenCV's `INTER_LANCZOS4`, ``(1, 1, size, length)``."""
    ops = import_keras().ops
    scale = side.length / side.new_length
    centres = (_new_positions(side, size) + 0.5) * scale - 0.5
    before = ops.floor(centres) - (_TAPS // 2 - 1)
    taps = [_windowed_sinc(before + float(tap) - centres) for tap in range(_TAPS)]
    total = sum(taps)
    matrix: Any = 0.0
    positions = ops.expand_dims(side.positions, 1)
    for tap, weights in enumerate(taps):
        nearest = ops.minimum(ops.maximum(before + float(tap), 0.0), side.length - 1.0)
        is_there = ops.abs(positions - ops.expand_dims(side.first + nearest, 2)) < 0.5
        share = ops.round(weights / total * _STEPS) / _STEPS
        matrix += ops.expand_dims(share, 2) * ops.cast(is_there, "float32")
    return ops.expand_dims(matrix, 1)


def _windowed_sinc(x: Any) -> Any:
    ops = import_keras().ops
    at_zero = ops.abs(x) < 1e-6
    x = ops.where(at_zero, ops.ones_like(x), x) * pi
    lobes = _TAPS // 2
    values = lobes * ops.sin(x) * ops.sin(x / lobes) / (x * x)
    return ops.where(at_zero, ops.ones_like(values), values)


def _new_positions(side: _Side, size: int) -> Any:
    """Return the positions of the pixels of the square in the resized image, ``(1, size)``."""
    ops = import_keras().ops
    return ops.subtract(np.arange(size, dtype=np.float32)[None], side.new_first)


def _is_inside(side: _Side, size: int) -> Any:
    """Return 1 where the square has a pixel of the image and 0 on padding, ``(1, 1, size)``."""
    ops = import_keras().ops
    positions = _new_positions(side, size)
    inside = ops.logical_and(positions > -0.5, positions < side.new_length - 0.5)
    return ops.expand_dims(ops.cast(inside, "float32"), 1)


def _whole(values: Any) -> Any:
    ops = import_keras().ops
    return ops.clip(ops.floor(values + 0.5), 0.0, _WHITE)
