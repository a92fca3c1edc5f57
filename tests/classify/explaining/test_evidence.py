"""Evidence maps add up to the score, and lie where the evidence is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from classify.estimators.centroid import Centroid
from classify.estimators.lda import LDA
from classify.estimators.logreg import LogReg
from classify.estimators.nearest import Nearest
from classify.estimators.ridge import RidgeClassifier
from classify.estimators.svm import SVM
from classify.explaining.evidence import Explainer
from classify.explaining.scores import class_scores
from extract.frozen import FrozenBase
from extract.options import BaseSettings
from tests.extract.backbones.onnx_networks import write

if TYPE_CHECKING:
    from pathlib import Path

    from classify.estimators.base import Classifier

SIDE = 16
LINEAR = {
    "logreg": lambda: LogReg(C=1.0, folds=3),
    "svm": lambda: SVM(C=1.0, kernel="linear", folds=3),
    "ridge": lambda: RidgeClassifier(C=1.0),
    "lda": LDA,
}
OTHERS = {"rbf": lambda: SVM(C=1.0, kernel="rbf", folds=3), "centroid": Centroid}


def base_of(folder: Path, output: str = "pixels", **settings: Any) -> FrozenBase:
    path = write(folder / "net.onnx", outputs=[output])
    given = {"preprocess": "tf", "cache": folder / "cache", **settings}
    return FrozenBase.choose(BaseSettings(str(path), **given))


def pictures(
    n: int, n_classes: int, corners: tuple[tuple[int, int], ...], seed: int = 0
) -> tuple[Any, Any]:
    """Return noise in which the first class has a bright patch in its corner, and so on."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 100, (n, SIDE, SIDE, 3), dtype=np.uint8)
    y = np.arange(n) % n_classes
    for image, code in zip(images, y, strict=True):
        row, column = corners[code]
        image[row : row + 4, column : column + 4] += 150
    return images, np.array(["a", "b", "c"])[y]


CORNERS = ((0, 0), (12, 12), (0, 12))


def features(base: FrozenBase, images: Any) -> Any:
    return base.make_engine()(images).reshape(len(images), -1)


def trained(estimator: Classifier, base: FrozenBase, images: Any, y: Any) -> Any:
    X = features(base, images)
    return estimator.fit(X, y), X


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize(
    "settings",
    [
        {"pooling": "none"},
        {"pooling": "avg"},
        {"pooling": "none", "flip": True},
        {"pooling": "avg", "flip": True},
        {"pooling": "none", "mirrored": True},
        {"output": "tokens", "pooling": "none"},
        {"output": "tokens", "pooling": "avg"},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_the_places_add_up_to_the_score(
    tmp_path: Path, name: str, n_classes: int, settings: dict[str, Any]
) -> None:
    base = base_of(tmp_path, **settings)
    images, y = pictures(48, n_classes, CORNERS)
    estimator, X = trained(LINEAR[name](), base, images, y)
    codes = np.searchsorted(estimator.classes_, y)
    found = Explainer(estimator, base)(images, codes)
    expected = class_scores(estimator, X, np.ones_like(codes) if n_classes == 2 else codes)
    assert found.exact
    assert found.maps.shape == (48, 8, 8)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.maps.sum((1, 2)) + found.intercept, found.scores, rtol=1e-9)
    assert set(found.classes) == ({"b"} if n_classes == 2 else {"a", "b", "c"})


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("name", [*LINEAR, *OTHERS, "nearest"])
def test_the_evidence_lies_where_it_was_planted(tmp_path: Path, name: str, flip: bool) -> None:
    """Also if the embedding is the mean over the image and its mirror image."""
    base = base_of(tmp_path, pooling="none", flip=flip)
    classifiers = {**LINEAR, **OTHERS, "nearest": Nearest}
    estimator, _ = trained(classifiers[name](), base, *pictures(120, 3, CORNERS))
    images, y = pictures(60, 3, CORNERS, seed=1)
    codes = np.searchsorted(estimator.classes_, y)
    found = Explainer(estimator, base)(images, codes)
    assert found.exact == (name not in OTHERS)
    pixels_each = SIDE / found.maps.shape[1]
    for code, corner in enumerate(CORNERS):
        mean = found.maps[codes == code].mean(axis=0)
        places = np.array(np.unravel_index(mean.argmax(), mean.shape))
        middle = (places + 0.5) * pixels_each
        assert (middle >= corner).all()
        assert (middle < np.array(corner) + 4).all()


@pytest.mark.parametrize("name", OTHERS)
def test_an_approximation_adds_up_too_and_says_so(tmp_path: Path, name: str) -> None:
    base = base_of(tmp_path, pooling="none")
    images, y = pictures(48, 2, CORNERS)
    estimator, X = trained(OTHERS[name](), base, images, y)
    found = Explainer(estimator, base)(images[:6], np.zeros(6, np.intp))
    assert not found.exact
    expected = class_scores(estimator, X[:6], np.ones(6, np.intp))
    np.testing.assert_allclose(found.scores, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.maps.sum((1, 2)) + found.intercept, found.scores, rtol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("settings", [{}, {"flip": True}, {"pooling": "avg"}])
def test_the_places_of_nearest_neighbours_add_up_to_the_likeness(
    tmp_path: Path, n_classes: int, settings: dict[str, Any]
) -> None:
    """It has the sign of the prediction, although votes hardly change without a single place."""
    base = base_of(tmp_path, **{"pooling": "none", **settings})
    estimator, X = trained(Nearest(k=3), base, *pictures(48, n_classes, CORNERS))
    images, y = pictures(12, n_classes, CORNERS, seed=1)
    codes = np.searchsorted(estimator.classes_, y)
    found = Explainer(estimator, base)(images, codes)
    explained = np.ones_like(codes) if n_classes == 2 else codes
    both = [rows.astype(np.float64) for rows in (features(base, images), X)]
    units = [rows / np.linalg.norm(rows, axis=1)[:, None] for rows in both]
    expected = []
    for cosine, code in zip(units[0] @ units[1].T, explained, strict=True):
        own, others = (
            np.sort(cosine[(estimator.codes_ == code) == is_own])[-3:].mean()
            for is_own in (True, False)
        )
        expected.append((own - others) / cosine.std())
    np.testing.assert_allclose(found.scores, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.maps.sum((1, 2)), found.scores, rtol=1e-9)
    if not settings:  # neither the mean nor mirror images tell all corners apart
        assert ((found.scores > 0) == (codes == explained)).all()


def test_a_training_image_is_not_its_own_neighbour(tmp_path: Path) -> None:
    """Else its own label would have evidence in any case: this one is wrong."""
    base = base_of(tmp_path, pooling="none")
    images, y = pictures(48, 2, CORNERS)
    y[5] = "a"
    estimator, _ = trained(Nearest(k=1), base, images, y)
    assert Explainer(estimator, base)(images[5:6], np.array([1])).scores > 0


def test_a_network_without_places_is_approximated(tmp_path: Path) -> None:
    base = base_of(tmp_path, output="features")
    images, y = pictures(48, 2, CORNERS)
    estimator, _ = trained(LogReg(C=1.0, folds=3), base, images, y)
    found = Explainer(estimator, base)(images[:2], np.ones(2, np.intp))
    assert not found.exact


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["none", "avg"])
def test_the_places_of_a_quantised_network_add_up(tmp_path: Path, pooling: str) -> None:
    """Those of the network that the classifier was trained on, not of another one."""
    images, y = pictures(48, 2, CORNERS)
    base = base_of(tmp_path, pooling=pooling, precision="int8")
    digests = [f"{i:064x}" for i in range(len(images))]
    base = base.calibrated_on(digests, lambda n: (digests[:n], images[:n]))
    estimator, X = trained(LogReg(C=1.0, folds=3), base, images, y)
    found = Explainer(estimator, base)(images, np.ones(48, np.intp))
    assert found.exact
    np.testing.assert_allclose(found.scores, estimator.decision_function(X), rtol=1e-5, atol=1e-5)
