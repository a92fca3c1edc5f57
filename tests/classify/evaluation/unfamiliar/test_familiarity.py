"""How familiar samples are: at most the share that was asked for is refused by chance."""

from __future__ import annotations

import numpy as np
import pytest

from classify.errors import ClassifierError, ModelError
from classify.evaluation.unfamiliar.familiarity import Familiarity
from classify.evaluation.unfamiliar.rejection import is_refused

SHARE = 0.1


def draw(
    rng: np.random.Generator, n_samples: int, classes: tuple[int, ...] = (0, 1, 2)
) -> np.ndarray:
    """Draw samples of classes, each around an axis of 40 dimensions."""
    X = rng.normal(0.4, 0.25, (n_samples, 40))
    X[np.arange(n_samples), rng.choice(classes, n_samples)] += 2
    return X.astype(np.float32)


@pytest.mark.parametrize(("n_samples", "least"), [(19, 0.01), (100, 0.075), (300, 0.075)])
def test_about_the_share_of_familiar_samples_is_refused(n_samples: int, least: float) -> None:
    """Over training sets, not more than the share, and not much less, unless samples are few."""
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(200):
        fitted = Familiarity().fit(draw(rng, n_samples))
        rates.append(is_refused(fitted.familiarity(draw(rng, 100)), SHARE).mean())
    error = np.std(rates) / len(rates) ** 0.5
    assert least < np.mean(rates) < SHARE + 2.5 * error


def test_samples_of_a_class_that_was_left_out_are_refused_more_often() -> None:
    """Nearly all of them, where the classes are far apart."""
    rng = np.random.default_rng(1)
    fitted = Familiarity().fit(draw(rng, 300, (0, 1)))
    assert is_refused(fitted.familiarity(draw(rng, 200, (0, 1))), 0.05).mean() < 0.12
    assert is_refused(fitted.familiarity(draw(rng, 200, (2,))), 0.05).mean() > 0.9


def test_the_norm_of_a_sample_does_not_matter() -> None:
    """Only its direction does; a row of zeros has none, and is not familiar."""
    rng = np.random.default_rng(2)
    fitted, new = Familiarity().fit(draw(rng, 100)), draw(rng, 20)
    np.testing.assert_allclose(fitted.score(new * 100), fitted.score(new), atol=1e-6)
    assert fitted.familiarity(np.zeros((1, 40))) == 1 / 101


def test_samples_of_a_group_do_not_vouch_for_each_other() -> None:
    """Ten copies of every sample would make all new samples look unfamiliar."""
    rng = np.random.default_rng(3)
    copies, groups = draw(rng, 60).repeat(10, axis=0), np.arange(60).repeat(10)
    new = draw(rng, 300)
    apart = Familiarity().fit(copies).familiarity(new)
    together = Familiarity().fit(copies, groups).familiarity(new)
    assert is_refused(apart, SHARE).mean() == 1
    assert is_refused(together, SHARE).mean() < 0.25


def test_what_cannot_be_compared_is_refused() -> None:
    """With what was expected."""
    X = draw(np.random.default_rng(4), 10)
    with pytest.raises(ClassifierError, match="at least two training samples"):
        Familiarity().fit(X, np.zeros(10, dtype=np.int64))
    with pytest.raises(ClassifierError, match=r"expected shape \(n_samples, 40\), found \(10, 39"):
        Familiarity().fit(X).score(X[:, 1:])
    X[0, 0] = np.nan
    with pytest.raises(ClassifierError, match="finite numbers"):
        Familiarity().fit(X)


def test_arrays_make_an_equal_object() -> None:
    """Bit for bit."""
    rng = np.random.default_rng(5)
    fitted, new = Familiarity().fit(draw(rng, 50)), draw(rng, 30)
    loaded = Familiarity.from_arrays(fitted.to_arrays())
    np.testing.assert_array_equal(loaded.familiarity(new), fitted.familiarity(new))
    assert (loaded.n_samples_, loaded.n_features_in_) == (50, 40)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("format", np.array(2), "format 2, this version reads format 1; upgrade"),
        ("n_neighbours", np.array(0), "do not fit together"),
        ("n_neighbours", np.array(50), "do not fit together"),
        ("rows", np.ones((50, 40)), "do not fit together"),
        ("rows", np.full((50, 40), np.nan, np.float16), "do not fit together"),
        ("rows", np.ones((0, 40), np.float16), "do not fit together"),
        ("held_out_scores", np.zeros(49, np.float32), "do not fit together"),
        ("held_out_scores", np.arange(50, 0, -1, dtype=np.float32), "do not fit together"),
    ],
)
def test_other_arrays_are_refused(name: str, value: np.ndarray, message: str) -> None:
    """Of a newer version, of other types or shapes, or in another order."""
    arrays = Familiarity().fit(draw(np.random.default_rng(6), 50)).to_arrays()
    with pytest.raises(ModelError, match=message):
        Familiarity.from_arrays(arrays | {name: value})


def test_training_samples_that_are_as_familiar_count() -> None:
    """A sample that is as near as the nearest of them is as familiar as any."""
    arrays = {
        "format": np.array(1),
        "n_neighbours": np.array(1),
        "rows": np.eye(3, dtype=np.float16),
        "held_out_scores": np.array([0, 0, 1], dtype=np.float32),
    }
    loaded = Familiarity.from_arrays(arrays)
    assert loaded.familiarity([[2.0, 0, 0], [-1, -1, -1]]).tolist() == [1.0, 0.25]
