"""Groups are held together wherever something is held out: on near-copies with random labels.

Who knows a copy knows the label, so a validation that divides groups is nearly always right. The
label of a new group is a coin's throw.
"""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from classify.estimators.centroid import Centroid
from classify.estimators.lda import LDA
from classify.estimators.logreg import LogReg
from classify.estimators.nearest import Nearest
from classify.estimators.ridge import RidgeClassifier
from classify.estimators.rows import RowsOnDisk
from classify.estimators.streamed import StreamedLogReg, StreamedSVM
from classify.estimators.svm import SVM
from classify.estimators.wrapped import WrappedClassifier
from classify.evaluation.held_out import hold_out
from classify.evaluation.learning_curve import learning_curve
from classify.evaluation.repeats import accuracies_of
from classify.networks.cnn import SMALLEST_SIZE, ScratchCNN
from classify.networks.dense import DenseHead
from tests.classify.estimators.grouped import SIZE, near_copies

X, y, GROUPS = near_copies()
CLAIMED, CHANCE = 0.9, 0.65


def cross_validated(estimator, groups):
    """Return the accuracy of held-out predictions."""
    held_out = hold_out(estimator.fit(X, y, groups=groups), X, y, groups=groups)
    return (estimator.classes_[held_out.probabilities.argmax(axis=1)] == y[held_out.rows]).mean()


@pytest.mark.parametrize(
    "estimator",
    [
        LogReg(C=[1.0, 10.0]),
        RidgeClassifier(),
        LDA(),
        SVM(C=1.0, kernel="linear"),
        Nearest(),
        Centroid(),
        WrappedClassifier(LogisticRegression(C=100.0)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_held_out_predictions_are_for_new_groups(estimator):
    """At chance, where without groups they are right for nine of ten."""
    assert cross_validated(estimator, None) > CLAIMED
    assert cross_validated(estimator, GROUPS) < CHANCE


@pytest.mark.parametrize(
    "estimator",
    [
        LogReg(C=1.0),
        RidgeClassifier(C=10.0),
        LDA(shrinkage=0.1),
        SVM(C=1.0, kernel="linear"),
        Nearest(k=1),
    ],
)
def test_parameters_are_chosen_for_new_groups(estimator):
    """The accuracy of the search is at chance, too."""
    for groups, claimed in ((None, True), (GROUPS, False)):
        (point,) = estimator.fit(X, y, groups=groups).search_.points
        assert (point.mean > CLAIMED) == claimed
        assert (point.mean < CHANCE) != claimed


def test_a_search_for_neighbours_never_asks_for_more_than_there_are_outside_the_group():
    """Of two groups of 20 samples, each has 20 others, so that 30 neighbours are not tried."""
    codes = np.arange(40) % 2
    rows = np.random.default_rng(0).normal(size=(40, 8))
    model = Nearest().fit(rows, codes, groups=np.arange(40) // 20)
    assert max(point.params["k"] for point in model.search_.points) == 20
    assert Nearest(k=30).fit(rows, codes, groups=np.arange(40) // 20).k_ == 30


def test_the_error_of_a_leave_one_out_counts_groups():
    """Copies are right or wrong together, so that the accuracy is known less well."""
    copies = np.repeat(np.random.default_rng(0).normal(size=(30, 20)), 4, axis=0)
    labels, groups = np.arange(30).repeat(4) % 2, np.arange(30).repeat(4)
    (point,) = Nearest(k=1).fit(copies, labels, groups=groups).search_.points
    expected = (point.mean * (1 - point.mean) / 30) ** 0.5
    assert point.std == pytest.approx(expected, rel=0.05)


def test_class_means_are_taken_without_the_group():
    """Their probabilities say that nothing is known, though copies are near their class's mean."""
    plain, grouped = Centroid().fit(X, y), Centroid().fit(X, y, groups=GROUPS)
    assert plain.predict_proba(X).max(axis=1).mean() > CLAIMED
    assert grouped.predict_proba(X).max(axis=1).mean() < CHANCE
    np.testing.assert_array_equal(plain.centroids_, grouped.centroids_)


def test_a_group_of_several_classes_is_left_out_of_all_their_means():
    """The temperature is that of cosines with means without the group, class by class."""
    rng = np.random.default_rng(1)
    rows = np.abs(rng.normal(size=(30, 6))).astype(np.float32)
    codes, groups = rng.integers(0, 3, 30), rng.integers(0, 5, 30)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = np.empty((30, 3))
    for i in range(30):
        for code in range(3):
            mean = unit[(codes == code) & (groups != groups[i])].sum(axis=0)
            cosines[i, code] = unit[i] @ mean / np.linalg.norm(mean)
    found = {}

    def note(scores, *_):
        found["scores"] = scores
        return 1.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("classify.estimators.centroid.fit_temperature", note)
        Centroid().fit(rows, codes, groups=groups)
    np.testing.assert_allclose(found["scores"], cosines, atol=1e-6)


def test_the_searches_of_scikit_learn_get_the_groups():
    """Alone and at the end of a pipeline, if their splitter knows groups."""
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=GroupKFold(3))
    for estimator in (search, make_pipeline(StandardScaler(), search)):
        model = WrappedClassifier(estimator).fit(X, y, groups=GROUPS).estimator_
        found = getattr(model, "steps", [("", model)])[-1][1]
        assert found.best_score_ < CHANCE
    alone = GridSearchCV(LogReg(), {"C": [1.0]}).fit(X, y)
    assert alone.best_score_ > CLAIMED


@pytest.mark.parametrize("kind", [StreamedLogReg, StreamedSVM])
@pytest.mark.parametrize("on_disk", [False, True])
def test_rows_on_disk_hold_whole_groups_out(kind, on_disk):
    """Labels that follow from the group alone are not known of new groups."""
    keys = [str(i) for i in range(len(X))]
    rows = RowsOnDisk(lambda some: X[[int(key) for key in some]], keys) if on_disk else X
    for groups, knows in ((None, True), (GROUPS, False)):
        model = kind(C=[1.0, 10.0]).fit(rows, y, groups=groups)
        predicted = model.classes_[model.held_out_proba_.argmax(axis=1)]
        accuracy = (predicted == y[model.held_out_]).mean()
        assert accuracy > CLAIMED if knows else accuracy < CHANCE


def divides_groups(model):
    """Return whether samples of one group were both held out and trained on."""
    rest = np.setdiff1d(np.arange(len(y)), model.held_out_)
    return bool(set(GROUPS[model.held_out_]) & set(GROUPS[rest]))


@pytest.mark.slow
def test_the_dense_head_is_stopped_by_new_groups():
    """The epochs are chosen on whole groups, whose labels it cannot know."""
    for groups, divides in ((None, True), (GROUPS, False)):
        model = DenseHead(epochs=5).fit(X, y, groups=groups)
        assert divides_groups(model) == divides
        predicted = model.classes_[model.held_out_proba_.argmax(axis=1)]
        assert ((predicted == y[model.held_out_]).mean() > CLAIMED) == divides


@pytest.mark.slow
def test_the_cnn_is_stopped_by_new_groups():
    """As the dense head."""
    images = np.zeros((len(y), SMALLEST_SIZE, SMALLEST_SIZE, 3), np.uint8)
    for groups, divides in ((None, True), (GROUPS, False)):
        assert divides_groups(ScratchCNN(epochs=1).fit(images, y, groups=groups)) == divides


class Noting(Centroid):
    """Notes what it is trained on."""

    seen: list = []  # noqa: RUF012 - of all copies

    def fit(self, X, y, progress=False, groups=None):
        self.seen.append((len(y), None if groups is None else np.bincount(groups)))
        return super().fit(X, y, progress, groups)


def test_a_learning_curve_draws_whole_groups():
    """Each draw has all samples of its groups, and the sizes are means over the draws."""
    Noting.seen.clear()
    curve = learning_curve(lambda _: Noting(), (X, y), (X, y), y, groups=GROUPS, draws=3)
    assert len(Noting.seen) == 3 * (len(curve.sizes) - 1)
    for n_samples, counts in Noting.seen:
        assert set(counts) <= {0, SIZE}
        assert counts.sum() == n_samples
    means = [
        round(np.mean([n for n, _ in Noting.seen[start : start + 3]]))
        for start in range(0, len(Noting.seen), 3)
    ]
    assert curve.sizes == [*means, len(X)] == [16, 32, 56, 120, 240]


def test_sizes_that_the_groups_do_not_allow_are_left_out():
    """With three groups of a class, there are two sizes: one group of each, and all."""
    codes = np.array(["a", "b"]).repeat(30)
    groups = np.arange(60) // 10
    curve = learning_curve(lambda _: Centroid(), (X[:60], codes), (X, y), y, groups=groups)
    assert curve.sizes == [20, 60]


def test_repeats_hold_groups_together():
    """Each training gets them."""
    Noting.seen.clear()
    codes = np.unique(GROUPS, return_inverse=True)[1]
    rule = type("Rule", (), {"probabilities": lambda _, p: p, "answers": lambda _, p: p.argmax(1)})
    list(accuracies_of(lambda _: Noting(), [1, 2], (X, y), (X, y), rule(), groups=codes))
    assert [set(counts) for _, counts in Noting.seen] == [{SIZE}, {SIZE}]


def test_a_class_in_one_group_is_named():
    """Its samples are held out one by one, since it would be unknown without them."""
    labels = np.where(GROUPS == "animal 7", "rare", y)
    for model in (LogReg(C=1.0), Centroid(), StreamedLogReg(C=1.0)):
        model.fit(X, labels, groups=GROUPS)
        found = hold_out(model, X, labels, groups=GROUPS)
        assert found.divided_classes.tolist() == ["rare"]
    assert hold_out(Centroid().fit(X, y), X, y, groups=GROUPS).divided_classes.tolist() == []


def test_fewer_groups_than_folds_give_fewer_folds():
    """Each is held out once."""
    groups = np.where(y == "a", GROUPS.astype("U20") < "animal 3", GROUPS < "animal 4")
    groups = np.char.add(y, groups.astype(str))
    assert LogReg(C=1.0).fit(X, y, groups=groups).search_.folds == 4
