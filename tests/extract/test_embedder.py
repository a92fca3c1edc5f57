"""The scikit-learn transformer: images in, features out, nothing computed twice."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from extract import Embedder, ImageError
from extract.backbones.catalog import construct
from extract.images.inputs import image_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

pytestmark = pytest.mark.slow

BACKBONE, LAYER, N_FEATURES = "mobilenet:alpha=0.25", "conv_pw_2_relu", 32


@dataclass
class Pictures:
    """Twenty bright or dark pictures, and an embedder with random weights."""

    paths: list[str]
    labels: list[str]
    pixels: NDArray[np.uint8]
    embedder: Embedder
    features: NDArray[np.float32]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    home = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    paths, labels, images = [], [], []
    for i in range(20):
        label = ("bright", "dark")[i % 2]
        low, high = {"bright": (150, 255), "dark": (0, 105)}[label]
        image = rng.integers(low, high, (40, 40, 3)).astype(np.uint8)
        paths.append(str(home / f"{i}.png"))
        cv2.imwrite(paths[-1], image[..., ::-1])
        labels.append(label)
        images.append(image)
    np.savez(home / "random.npz", *construct(BACKBONE, 32).get_weights())
    embedder = Embedder(
        BACKBONE, size=32, layer=LAYER, weights=home / "random.npz", cache=home / "cache"
    )
    return Pictures(paths, labels, np.stack(images), embedder, embedder.fit_transform(paths))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be computed: what is asked for must be in the cache."""
    monkeypatch.setattr("extract.engines.make", None)


def test_a_pipeline_learns_from_paths(pictures: Pictures) -> None:
    """`make_pipeline(Embedder(...), LogisticRegression())` fits and predicts on lists of paths."""
    model = make_pipeline(pictures.embedder, LogisticRegression(C=1e3, max_iter=1000))
    model.fit(pictures.paths[:10], pictures.labels[:10])
    assert model.score(pictures.paths[10:], pictures.labels[10:]) >= 0.9
    assert pictures.features.shape == (20, N_FEATURES)


def test_the_bits_in_use_are_those_of_the_images_of_fit(pictures: Pictures, tmp_path: Path) -> None:
    """A dark image of 16 bits alone has the features that it has among the training images."""
    values = [pictures.pixels[i][..., 0].astype(np.uint16) * 16 for i in range(3)]
    values[0] //= 8
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, image in zip(paths, values, strict=True):
        cv2.imwrite(str(path), image)
    fitted = clone(pictures.embedder).fit(paths)
    together = fitted.transform(paths)
    np.testing.assert_array_equal(fitted.transform(paths[:1]), together[:1])
    alone = clone(pictures.embedder).transform(paths[:1])
    assert not np.array_equal(alone, together[:1])
    in_memory = [Image.fromarray(image) for image in values]
    np.testing.assert_array_equal(clone(pictures.embedder).fit_transform(in_memory), together)


def test_cross_validation_clones_it(pictures: Pictures) -> None:
    """scikit-learn's own tools take the pipeline apart and put it together again."""
    copy = clone(pictures.embedder)
    assert copy is not pictures.embedder
    assert copy.get_params() == pictures.embedder.get_params()
    model = make_pipeline(copy, LogisticRegression(C=1e3))
    assert cross_val_score(model, pictures.paths, pictures.labels, cv=3).shape == (3,)


def test_the_rows_are_in_the_order_of_the_paths(pictures: Pictures) -> None:
    """Shuffled and repeated paths give shuffled and repeated rows."""
    some = [pictures.paths[i] for i in (3, 1, 3)]
    np.testing.assert_array_equal(pictures.embedder.transform(some), pictures.features[[3, 1, 3]])


def test_nothing_is_computed_twice(pictures: Pictures, no_network: None) -> None:
    """With every image in the cache the network is not built."""
    features = clone(pictures.embedder).transform(pictures.paths)
    np.testing.assert_array_equal(features, pictures.features)


@pytest.mark.parametrize(
    "container",
    [
        lambda p: [Path(path) for path in p.paths],
        lambda p: pd.Series(p.paths, index=range(100, 120)),
        lambda p: np.array(p.paths, dtype=object),
        lambda p: np.array(p.paths).reshape(-1, 1),
        lambda p: pd.DataFrame({"path": p.paths}),
        lambda p: p.pixels,
        lambda p: list(p.pixels),
        lambda p: [Image.fromarray(image) for image in p.pixels],
        lambda p: [*p.paths[:10], *p.pixels[10:]],
    ],
    ids=[
        "Path", "Series", "object array", "column", "data frame", "pixels", "list of pixels",
        "PIL images", "paths and pixels",
    ],
)  # fmt: skip
def test_every_kind_of_input_gives_the_same_features(
    pictures: Pictures, container: Callable[[Pictures], Any]
) -> None:
    """A lossless file and its pixels in memory are the same image."""
    features = pictures.embedder.transform(container(pictures))
    np.testing.assert_array_equal(features, pictures.features)


def test_images_in_memory_are_computed_once_too(
    pictures: Pictures, request: pytest.FixtureRequest
) -> None:
    """Also within one call."""
    stages: list[tuple[str, int, int]] = []
    embedder = clone(pictures.embedder).set_params(
        progress=lambda *stage: stages.append(stage), pooling="max"
    )
    first = embedder.transform([pictures.pixels[0], pictures.pixels[0], pictures.pixels[1]])
    assert ("computing embeddings", 2, 2) in stages
    request.getfixturevalue("no_network")
    images = [Image.fromarray(pictures.pixels[i]) for i in (0, 0, 1)]
    np.testing.assert_array_equal(embedder.transform(images), first)


def test_features_have_names(pictures: Pictures) -> None:
    """Before anything is embedded, too: a pipeline that ends with it only fits it."""
    names = clone(pictures.embedder).fit(pictures.paths).get_feature_names_out()
    assert names.tolist() == [f"embedder{i}" for i in range(N_FEATURES)]
    np.testing.assert_array_equal(pictures.embedder.get_feature_names_out(), names)


def test_features_come_as_a_data_frame_on_request(pictures: Pictures) -> None:
    """With the index of the frame that the paths came in."""
    embedder = clone(pictures.embedder).set_output(transform="pandas")
    paths = pd.DataFrame({"path": pictures.paths[:3]}, index=["x", "y", "z"])
    features = embedder.fit_transform(paths)
    assert features.index.tolist() == ["x", "y", "z"]
    assert features.columns[:2].tolist() == ["embedder0", "embedder1"]
    np.testing.assert_array_equal(features.to_numpy(), pictures.features[:3])


@pytest.mark.parametrize("column", ["path", ["path"]])
def test_a_column_transformer_embeds_one_column(
    pictures: Pictures, column: str | list[str]
) -> None:
    table = pd.DataFrame({"path": pictures.paths, "size": np.arange(20.0)})
    columns = ColumnTransformer(
        [("image", pictures.embedder, column), ("rest", "passthrough", ["size"])]
    )
    assert columns.fit_transform(table).shape == (20, N_FEATURES + 1)
    assert columns.get_feature_names_out()[[0, -1]].tolist() == ["image__embedder0", "rest__size"]


def test_a_broken_image_is_an_error_that_names_its_row(pictures: Pictures, tmp_path: Path) -> None:
    """A transformer cannot leave out a row."""
    for name in ("a", "b"):
        (tmp_path / f"broken-{name}.jpg").write_text("no image")
    paths = [pictures.paths[0], *map(str, sorted(tmp_path.iterdir()))]
    words = r"^row 1: .*broken-a\.jpg cannot be used as an image: .* \(and 1 more row\)$"
    with pytest.raises(ImageError, match=words):
        pictures.embedder.transform(paths)


def test_a_folder_is_an_error_that_says_what_to_pass(pictures: Pictures, tmp_path: Path) -> None:
    words = f"^row 0: {re.escape(str(tmp_path))} .*it is a folder; pass the paths of its files"
    with pytest.raises(ImageError, match=words):
        pictures.embedder.transform([tmp_path])


def test_fit_refuses_what_transform_refuses(pictures: Pictures) -> None:
    """So a pipeline fails before anything is computed."""
    with pytest.raises(ImageError, match=r"row 1: .* missing value"):
        pictures.embedder.fit([pictures.paths[0], None])


def test_int8_is_calibrated_on_images_in_memory_and_in_files(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images in memory first, each once; files fill up the rest. Both are recorded."""
    pytest.importorskip("nncf")
    calibrated_on = []

    def quantise(recipe: Any, weights: Any, models: Any, images: Any, progress: Any) -> bytes:
        calibrated_on.extend(images)
        return b"a model"

    monkeypatch.setattr("extract.engines.int8.quantise", quantise)
    embedder = clone(pictures.embedder).set_params(precision="int8", cache=tmp_path)
    embedder.fit([*pictures.paths[:3], pictures.pixels[4], pictures.pixels[5], pictures.pixels[4]])
    assert np.shape(calibrated_on) == (5, 32, 32, 3)
    (record,) = (tmp_path / "models").glob("*.json")
    files = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in pictures.paths[:3]]
    in_memory = [image_digest(image) for image in pictures.pixels[4:6]]
    assert json.loads(record.read_text())["images"].split() == sorted([*files, *in_memory])
    embedder.fit([*pictures.paths[:4], pictures.pixels[4], pictures.pixels[5]])
    assert len(calibrated_on) == 5
    embedder.fit(pictures.paths)  # has three images of the five, but many others
    assert len(calibrated_on) == 25
