"""How many labels are wrong, and which: on drawn clusters with planted flips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classify.auditing import findings, label_errors
from classify.auditing.label_errors import LabelErrors, find_label_errors
from classify.errors import ClassifierError
from classify.estimators.logreg import LogReg
from extract.datasets.dataset import Dataset, Item
from toolkit.progress import silent

N_SAMPLES, N_CLASSES, N_FEATURES = 600, 3, 20


def draw(rng, n_samples=N_SAMPLES):
    """Return features and true classes of overlapping clusters; 1 in 10 is nearer to another."""
    means = 1.6 * np.random.default_rng(5).normal(size=(N_CLASSES, 3))
    classes = np.arange(n_samples) % N_CLASSES
    X = rng.normal(size=(n_samples, N_FEATURES))
    X[:, :3] += means[classes]
    return X.astype(np.float32), classes


def flipped(rng, classes, share):
    """Return labels of which a share is another class, drawn evenly."""
    labels = classes.copy()
    rows = rng.choice(len(labels), round(share * len(labels)), replace=False)
    labels[rows] = (labels[rows] + rng.integers(1, N_CLASSES, len(rows))) % N_CLASSES
    return labels


def figures(found, wrong):
    """Return precision and recall."""
    hits = wrong[found].sum()
    return hits / max(1, len(found)), hits / wrong.sum()


def disagreeing(X, labels):
    """Return what earlier versions listed: where a held-out prediction is another class."""
    return np.flatnonzero(LogReg().fit(X, labels).held_out_proba_.argmax(axis=1) != labels)


def test_clean_labels_are_not_called_wrong():
    """Held-out predictions are another class for every tenth; that is overlap, not wrong labels."""
    numbers = []
    for seed in range(3):
        X, classes = draw(np.random.default_rng(seed))
        assert len(disagreeing(X, classes)) > 0.06 * N_SAMPLES
        numbers.append(find_label_errors(X, classes)[0].number)
    assert np.mean(numbers) <= 0.01 * N_SAMPLES


def test_planted_flips_are_counted_and_found():
    """At 5%, with bounds that the disagreement of held-out predictions does not keep."""
    now, before, numbers = [], [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X, classes = draw(rng)
        labels = flipped(rng, classes, 0.05)
        errors, _ = find_label_errors(X, labels)
        numbers.append(errors.number)
        now.append(figures(errors.first(), labels != classes))
        before.append(figures(disagreeing(X, labels), labels != classes))
    assert np.mean(numbers) == pytest.approx(0.05 * N_SAMPLES, rel=0.3)
    precision, recall = np.mean(now, axis=0)
    assert precision > 0.65
    assert recall > 0.65
    assert np.mean(before, axis=0)[0] < 0.5


def test_flips_towards_one_class_are_found():
    """A fifth of one class is labelled as another, and none of the others."""
    rng = np.random.default_rng(0)
    X, classes = draw(rng)
    labels = np.where((classes == 0) & (rng.random(N_SAMPLES) < 0.2), 1, classes)
    errors, _ = find_label_errors(X, labels)
    precision, recall = figures(errors.first(), labels != classes)
    assert min(precision, recall) > 0.6
    assert (errors.likely[errors.first()] == 0).mean() > 0.8


def test_test_labels_have_no_influence_on_training_labels():
    """Whatever the test labels are, the training labels are judged the same."""
    rng = np.random.default_rng(0)
    X, classes = draw(rng)
    X_test, test_classes = draw(rng, 300)
    alone, _ = find_label_errors(X, classes)
    labels = flipped(rng, test_classes, 0.5)
    beside, tested = find_label_errors(X, classes, X_test, labels)
    np.testing.assert_array_equal(alone.wrong, beside.wrong)
    assert tested is not None
    precision, _ = figures(np.flatnonzero(tested.wrong > 0.5), labels != test_classes)
    assert precision > 0.9


def test_wrong_test_labels_are_found():
    """By the model of the training split."""
    rng = np.random.default_rng(0)
    X, classes = draw(rng)
    X_test, test_classes = draw(rng, 300)
    labels = flipped(rng, test_classes, 0.05)
    _, errors = find_label_errors(X, flipped(rng, classes, 0.05), X_test, labels)
    assert errors is not None
    assert errors.number == pytest.approx(15, abs=6)
    assert min(figures(errors.first(), labels != test_classes)) > 0.6


def test_leaving_one_out_is_training_without_it():
    """The closed form gives the score of a model that was trained on all other samples."""
    from classify.auditing.label_errors import _Ridge

    rng = np.random.default_rng(0)
    for n_features in (5, 60):  # fewer and more than samples
        X, targets = rng.normal(size=(30, n_features)), rng.random((30, 2))
        scores, penalty = _Ridge(X).leave_one_out(targets)
        rest = np.arange(30) != 7
        without = _Ridge(X[rest]).predict(X[7:8], targets[rest], penalty)
        np.testing.assert_allclose(scores[7:8], without, rtol=1e-6)


def test_a_class_of_two_is_judged():
    """It does not vanish, and nothing is NaN."""
    X, classes = draw(np.random.default_rng(0))
    classes[:2] = N_CLASSES
    errors, _ = find_label_errors(X, classes)
    assert np.isfinite(errors.wrong).all()
    assert ((errors.wrong >= 0) & (errors.wrong <= 1)).all()


def test_equal_features_are_refused():
    """Nothing can be said about them."""
    with pytest.raises(ClassifierError, match="the same features"):
        find_label_errors(np.ones((6, 4), np.float32), [0, 1] * 3)


def test_the_most_suspect_come_first():
    """As many as are wrong by the estimate."""
    errors = LabelErrors(
        np.array([0.2, 0.9, 0.7, 0.3]), np.zeros(4, int), np.full((4, 2), 0.5), np.ones(4, bool)
    )
    assert (errors.number, errors.first().tolist()) == (2, [1, 2])


def wrong_groups(rng):
    """Return near-copies in groups of four, with three groups whose copies all have a wrong label.

    Returns features, labels, groups, and which labels are wrong.
    """
    classes, groups = np.arange(60) % N_CLASSES, np.arange(60).repeat(4)
    centres = rng.normal(size=(60, 200))
    centres[:, :3] += 6 * np.eye(3)[classes]
    X = centres[groups] + 0.05 * rng.normal(size=(240, 200))
    wrong = np.isin(groups, [3, 14, 41])
    labels = np.where(wrong, (classes[groups] + 1) % N_CLASSES, classes[groups])
    return X.astype(np.float32), labels, groups, wrong


def test_copies_with_the_same_wrong_label_do_not_vouch_for_each_other():
    """All labels of a group are judged by models that were not trained on it."""
    X, labels, groups, wrong = wrong_groups(np.random.default_rng(0))
    alone, _ = find_label_errors(X, labels)
    together, _ = find_label_errors(X, labels, groups=groups)
    assert figures(alone.first(), wrong)[1] < 0.3
    assert min(figures(together.first(), wrong)) > 0.9


def test_an_audit_judges_labels_without_the_group():
    """The groups are those of the data set."""
    X, labels, groups, wrong = wrong_groups(np.random.default_rng(0))
    items = tuple(
        Item(Path(f"{i:03}.png"), f"class {label}", "test" if i < 8 else "train", f"animal {group}")
        for i, (label, group) in enumerate(zip(labels, groups, strict=True))
    )
    suspects, n_wrong, _ = findings.suspects_of(Dataset("pets", Path(), items), X, silent)
    probably = [int(suspect.path[:3]) for suspect in suspects[:n_wrong]]
    assert min(figures(probably, wrong)) > 0.9


def test_a_test_image_is_judged_without_its_group():
    """Where a given split divides groups, copies in the training split do not vouch for it."""
    X, labels, groups, wrong = wrong_groups(np.random.default_rng(0))
    test = np.arange(240) % 4 == 0
    split = X[~test], labels[~test], X[test], labels[test]
    _, alone = find_label_errors(*split)
    _, together = find_label_errors(*split, groups[~test], groups[test])
    assert alone.wrong[wrong[test]].mean() < 0.3
    assert together.wrong[wrong[test]].mean() > 0.9


def test_a_test_image_and_its_copies_have_the_same_scores(monkeypatch):
    """Those of a model that knows none of them, nearly, as copies hardly differ."""
    X, labels, groups, _ = wrong_groups(np.random.default_rng(0))
    test = np.arange(240) % 4 == 0
    judged = []
    real = label_errors._Mixture.judge

    def noting(self, scores, codes):
        judged.append(scores)
        return real(self, scores, codes)

    monkeypatch.setattr(label_errors._Mixture, "judge", noting)
    split = X[~test], labels[~test], X[test], labels[test]
    for of_test, most in ((groups[test], 0.05), (None, np.inf)):
        find_label_errors(*split, groups[~test], of_test)
        of_copies = judged.pop(0).reshape(60, 3, N_CLASSES).mean(axis=1)
        difference = np.abs(judged.pop(0) - of_copies).max()
        assert difference < most
    assert difference > 0.2


@pytest.mark.parametrize("n_features", [5, 300])
def test_the_scores_without_a_group_are_those_of_a_model_without_it(n_features, monkeypatch):
    """To rounding, with fewer features than a group has samples, and with more than all have."""
    monkeypatch.setattr(label_errors, "PENALTIES", [0.3])
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(60, n_features)), np.arange(60) % 7
    groups[:20] = 0
    targets = np.eye(N_CLASSES)[rng.integers(0, N_CLASSES, 60)]
    ridge = label_errors._Ridge(X)
    scores, penalty = ridge.leave_one_out(targets, groups)
    for group in range(7):
        own = groups == group
        without = label_errors._Ridge(X[~own]).predict(X[own], targets[~own], penalty)
        np.testing.assert_allclose(scores[own], without, atol=1e-6)
    unseen = rng.normal(size=(4, n_features))
    rows = np.flatnonzero(groups == 0)
    change = ridge.hat(unseen, rows, penalty) @ (scores - targets)[rows]
    without = label_errors._Ridge(X[groups > 0]).predict(unseen, targets[groups > 0], penalty)
    np.testing.assert_allclose(ridge.predict(unseen, targets, penalty) + change, without, atol=1e-6)
