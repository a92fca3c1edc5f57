"""The scikit-learn transformer: paths in, features out, nothing computed twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from extract import Embedder, ImageError
from extract.backbones.catalog import construct

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str], Embedder]:
    """Twenty bright or dark pictures, their labels, and an embedder with random weights."""
    home = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    paths, labels = [], []
    for i in range(20):
        label = ("bright", "dark")[i % 2]
        low, high = {"bright": (150, 255), "dark": (0, 105)}[label]
        path = str(home / f"{i}.png")
        cv2.imwrite(path, rng.integers(low, high, (40, 40, 3)).astype(np.uint8))
        paths.append(path)
        labels.append(label)
    np.savez(home / "vgg16.npz", *construct("vgg16", 32).get_weights())
    embedder = Embedder("vgg16", size=32, weights=str(home / "vgg16.npz"), cache=home / "cache")
    return paths, labels, embedder


def test_a_pipeline_learns_from_paths(pictures: tuple[list[str], list[str], Embedder]) -> None:
    """`make_pipeline(Embedder(...), LogisticRegression())` fits and predicts on lists of paths."""
    paths, labels, embedder = pictures
    model = make_pipeline(embedder, LogisticRegression(C=1e3, max_iter=1000))
    model.fit(paths[:10], labels[:10])
    assert model.score(paths[10:], labels[10:]) >= 0.9
    assert embedder.transform(paths[:3]).shape == (3, 512)


def test_cross_validation_clones_it(pictures: tuple[list[str], list[str], Embedder]) -> None:
    """scikit-learn's own tools take the pipeline apart and put it together again."""
    paths, labels, embedder = pictures
    copy = clone(embedder)
    assert copy is not embedder
    assert copy.get_params() == embedder.get_params()
    scores = cross_val_score(make_pipeline(copy, LogisticRegression(C=1e3)), paths, labels, cv=3)
    assert scores.shape == (3,)


def test_the_rows_are_in_the_order_of_the_paths(
    pictures: tuple[list[str], list[str], Embedder],
) -> None:
    """Shuffled and repeated paths give shuffled and repeated rows."""
    paths, _, embedder = pictures
    rows = embedder.fit_transform(paths)
    np.testing.assert_array_equal(
        embedder.transform([paths[3], paths[1], paths[3]]), rows[[3, 1, 3]]
    )


def test_nothing_is_computed_twice(
    pictures: tuple[list[str], list[str], Embedder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every image in the cache the network is not built."""
    paths, _, embedder = pictures
    rows = embedder.transform(paths)
    monkeypatch.setattr("extract.engines.make", None)
    np.testing.assert_array_equal(clone(embedder).transform(paths), rows)


def test_a_broken_image_is_an_error_that_names_it(
    pictures: tuple[list[str], list[str], Embedder], tmp_path: Path
) -> None:
    """A transformer cannot leave out a row."""
    (tmp_path / "broken.jpg").write_text("no image")
    with pytest.raises(ImageError, match=r"broken\.jpg cannot be used as an image"):
        pictures[2].transform([pictures[0][0], str(tmp_path / "broken.jpg")])
