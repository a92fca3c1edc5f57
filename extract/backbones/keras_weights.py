"""Keras's own ImageNet weights: whether they are on this disk, and the networks that have them."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from extract.backbones import catalog as backbones
from extract.errors import WeightsError
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    import keras

KERAS_STORAGE = "https://storage.googleapis.com"
PROBE_SECONDS = 5.0

logger = logging.getLogger(__name__)


def construct_imagenet(backbone: str, size: int) -> keras.Model:
    """Build a base with Keras's ImageNet weights, which Keras downloads if they are not on disk.

    Parameters
    ----------
    backbone : str
        A name in `extract.backbones.catalog.BACKBONES`.
    size : int
        Side of the input images in pixels.

    Returns
    -------
    keras.Model
        As from `extract.backbones.catalog.construct`.

    Raises
    ------
    WeightsError
        If Keras's storage cannot be reached, or Keras cannot load the weights.
    """
    if not in_keras_folder(backbone):
        _probe_storage()
        logger.info("Keras downloads the ImageNet weights of %s", backbone)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Keras draws a progress bar there
            return backbones.construct(backbone, size, "imagenet")
    except ToolkitError:
        raise
    except Exception as error:  # Keras raises bare Exception when a download fails
        raise WeightsError(f"Keras could not load its ImageNet weights ({error})") from error


def in_keras_folder(backbone: str) -> bool:
    """Return whether Keras seems to have the backbone's weights without the top.

    Keras's file names have many forms: ``vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5``,
    ``efficientnetv2-b0_notop.h5``, ``weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5``.
    """
    try:
        folder = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"
    except RuntimeError:  # a user without a home folder
        return False
    family = backbones.find_backbone(backbone).family
    name = re.compile(rf"(weights)?{family}(weights.*|\d.*)?notop.*h5")
    plain = (re.sub(r"[-_.]", "", file.name.lower()) for file in folder.glob("*.h5"))
    return any(map(name.fullmatch, plain))


def _probe_storage() -> None:
    """Fail within seconds, not minutes, if Keras's storage cannot be reached."""
    import requests

    try:
        requests.head(KERAS_STORAGE, timeout=PROBE_SECONDS)
    except requests.exceptions.SSLError:
        pass  # the server is there; Keras, which uses other certificates, may succeed
    except requests.RequestException as error:
        raise WeightsError(
            f"Keras's ImageNet weights are not on this disk and {KERAS_STORAGE} cannot be reached "
            f"({type(error).__name__})"
        ) from error
