"""A run of today's version, on the images and weights of the earlier run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from classify import compare
from extract import Embedder, load_dataset
from extract.backbones.catalog import construct
from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from pathlib import Path

CLASSIFIERS = (
    "logreg,svm,nearest,centroid,dense,cnn,"
    "sklearn.linear_model:LogisticRegression,sklearn.linear_model:RidgeClassifier"
)


@pytest.fixture(scope="module")
def home(earlier_home: Path) -> Path:
    """Return a folder with a run, its images, weights and cache."""
    embed = Embedder(
        "mobilenet:alpha=0.25",
        size=64,
        flip=True,
        aspect="crop",
        weights=earlier_home / "mobilenet.weights.h5",
        cache=earlier_home / "cache",
    )
    compare(
        load_dataset(earlier_home / "pictures"),
        embed,
        classifiers=CLASSIFIERS,
        out=earlier_home / "today",
        calibrate=True,
        priors={"disc": 2, "square": 1, "star": 1},
        decision="equal-classes",
    )
    return earlier_home


@pytest.fixture(scope="module")
def in_8_bits(earlier_home: Path) -> Path:
    """Return a folder with a run in 8 bits, of a larger network with random weights."""
    keras = import_keras()
    keras.utils.set_random_seed(0)
    np.savez(earlier_home / "random.npz", *construct("vgg16", 48).get_weights())
    embed = Embedder(
        "vgg16",
        size=48,
        precision="int8",
        weights=earlier_home / "random.npz",
        cache=earlier_home / "cache",
    )
    data = load_dataset(earlier_home / "pictures")
    classifiers = "logreg,sklearn.linear_model:LogisticRegression"
    compare(data, embed, classifiers=classifiers, out=earlier_home / "int8")
    return earlier_home
