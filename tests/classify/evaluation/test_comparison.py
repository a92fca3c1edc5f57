"""Significance of differences between classifiers."""

import numpy as np
import pytest

from classify.evaluation.comparison import compare_predictions


def test_every_pair_is_compared_once_on_the_same_images():
    """Three classifiers are three pairs, each with the images that only one predicts correctly."""
    truth = np.array(["a"] * 60 + ["b"] * 40)
    good, bad = truth.copy(), truth.copy()
    good[:2] = "b"
    bad[1:31] = "b"
    pairs = compare_predictions(truth, {"good": good, "same": good, "bad": bad})
    assert [(pair.first, pair.second) for pair in pairs] == [
        ("good", "same"),
        ("good", "bad"),
        ("same", "bad"),
    ]
    assert [(pair.only_first, pair.only_second) for pair in pairs] == [(0, 0), (29, 1), (29, 1)]
    assert pairs[0].p_adjusted == 1.0
    assert pairs[1].p_value < pairs[1].p_adjusted < 1e-6


def test_equally_good_classifiers_rarely_differ_significantly():
    """Of 200 equally good pairs, at most one in twenty has a p-value below 0.05."""
    rng = np.random.default_rng(0)
    truth = np.zeros(300, dtype=int)
    low = 0
    for _ in range(200):
        a, b = (rng.random((2, 300)) < 0.1).astype(int)
        low += compare_predictions(truth, {"a": a, "b": b})[0].p_value < 0.05
    assert low <= 10


def test_images_of_one_group_count_once():
    """Thirty images of three groups that only one classifier gets right prove nothing."""
    truth = np.zeros(60, dtype=int)
    wrong = (np.arange(60) < 30).astype(int)
    predictions = {"good": truth, "bad": wrong}
    alone, singles, groups = (
        compare_predictions(truth, predictions, by)[0]
        for by in (None, np.arange(60), np.arange(60) // 10)
    )
    assert (
        (groups.only_first, groups.only_second) == (alone.only_first, alone.only_second) == (30, 0)
    )
    assert alone.p_value == pytest.approx(singles.p_value)
    assert alone.p_value < 1e-6
    assert groups.p_value == pytest.approx(2 / 2**3)
