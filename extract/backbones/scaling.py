"""How pixels are scaled before the first layer of a network."""

from __future__ import annotations

import re
from dataclasses import dataclass

from extract.errors import RecipeError

PREPROCESSINGS = ("caffe", "tf", "torch", "clip", "identity", "notebook")
"""Ways to scale an RGB `uint8` image that have a name.

`caffe` subtracts the ImageNet means in BGR order, `tf` scales to [-1, 1], `torch` scales to [0, 1]
and standardises by ImageNet's RGB mean and standard deviation, `clip` does so with those of CLIP's
training images, `identity` changes nothing because the network scales by itself, and `notebook` is
BGR / 255, which no weights were trained with.
"""

ALIASES = {"imagenet": "torch", "none": "identity"}
"""Other names of these, which users know."""

EXAMPLE = "mean=0.5,0.5,0.5;std=0.5,0.5,0.5"

_NUMBER = r"\d+(?:\.\d*)?(?:e-?\d+)?|\.\d+"
_THREE = rf"(?:{_NUMBER})(?:,(?:{_NUMBER})){{2}}"
_GIVEN = re.compile(rf"mean=({_THREE});std=({_THREE})", re.IGNORECASE)

_Three = tuple[float, float, float]


@dataclass(frozen=True)
class Scaling:
    """What is done with each channel of a pixel: subtract the mean, divide by the deviation.

    Parameters
    ----------
    mean, deviation : tuple of three float
        Of values from 0 to 255, in the order of the channels that the network takes.
    bgr : bool, default=False
        Whether the network takes blue, green and red, in this order.
    """

    mean: _Three
    deviation: _Three
    bgr: bool = False


_NAMED = {
    "caffe": Scaling((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), bgr=True),
    "torch": Scaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "tf": Scaling((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "clip": Scaling(
        (122.7709383, 116.7460125, 104.09373615), (68.5005327, 66.6321579, 70.32316305)
    ),
    "notebook": Scaling((0.0, 0.0, 0.0), (255.0, 255.0, 255.0), bgr=True),
    "identity": Scaling((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def scaling_of(preprocessing: str) -> Scaling:
    """Return what a preprocessing does.

    Parameters
    ----------
    preprocessing : str
        As `canonical` returns it.

    Examples
    --------
    >>> scaling_of("mean=0.5,0.5,0.5;std=0.5,0.5,0.5") == scaling_of("tf")
    True
    """
    if preprocessing in _NAMED:
        return _NAMED[preprocessing]
    mean, deviation = _parse(preprocessing)
    return Scaling(_times_255(mean), _times_255(deviation))


def canonical(preprocessing: str) -> str:
    """Return the one spelling of a preprocessing.

    Parameters
    ----------
    preprocessing : str
        One of `PREPROCESSINGS` or `ALIASES`, or a mean and a standard deviation of the RGB channels
        of values from 0 to 1, as in ``"mean=0.5,0.5,0.5;std=0.5,0.5,0.5"``.

    Raises
    ------
    RecipeError
        If it is neither, or a deviation is zero.

    Examples
    --------
    >>> canonical("imagenet"), canonical("mean=.50,0.5,0.5; std=1,1,0.25")
    ('torch', 'mean=0.5,0.5,0.5;std=1,1,0.25')
    """
    name = ALIASES.get(preprocessing, preprocessing)
    if name in PREPROCESSINGS:
        return name
    mean, deviation = _parse(preprocessing)
    return f"mean={','.join(map(_short, mean))};std={','.join(map(_short, deviation))}"


def _parse(text: str) -> tuple[_Three, _Three]:
    match = _GIVEN.fullmatch(text.replace(" ", ""))
    values = [tuple(map(float, part.split(","))) for part in match.groups()] if match else []
    if values and max(values[0]) > 1:
        raise RecipeError(
            f"expected the mean of values from 0 to 1, found {text!r}; divide by 255",
            setting="preprocess",
        )
    if not values and text.strip().lower().startswith(("mean=", "std=")):
        raise RecipeError(
            f"expected a mean and a standard deviation, each of three channels, as in {EXAMPLE!r}, "
            f"found {text!r}",
            setting="preprocess",
        )
    if not values or 0.0 in values[1]:
        known = ", ".join([*ALIASES, *PREPROCESSINGS])
        raise RecipeError(
            f"preprocess {text!r} is not known; choose one of: {known}, or the mean and the "
            f"standard deviation of the network's training images, as in {EXAMPLE!r}, of values "
            "from 0 to 1",
            setting="preprocess",
        )
    mean, deviation = values
    return mean, deviation  # type: ignore[return-value]  # three numbers each


def _times_255(values: _Three) -> _Three:
    red, green, blue = values
    return 255 * red, 255 * green, 255 * blue


def _short(value: float) -> str:
    return repr(value).removesuffix(".0")
