import warnings

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

from classify.errors import ClassifierError
from classify.evaluation.metrics import ROC_POINTS, evaluate


def measure(classes, y_true, probabilities):
    return evaluate(y_true, np.asarray(probabilities), classes)


def binary(n=400, seed=0):
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.3, "dogs", "cats")
    p = 1 / (1 + np.exp(-np.where(y == "dogs", 1, -1) - 1.5 * rng.normal(size=n)))
    return y, np.stack([1 - p, p], axis=1)


def test_the_figures_are_those_of_scikit_learn():
    """Accuracy, balanced accuracy, AUC and log loss, with the second class as the positive one."""
    y, probabilities = binary()
    result = measure(["cats", "dogs"], y, probabilities)
    predicted = np.where(probabilities[:, 1] > 0.5, "dogs", "cats")
    assert result.accuracy == (predicted == y).mean()
    assert result.balanced_accuracy == pytest.approx(balanced_accuracy_score(y, predicted))
    assert result.roc_auc == pytest.approx(roc_auc_score(y == "dogs", probabilities[:, 1]))
    assert [curve.label for curve in result.roc] == ["dogs"]
    assert result.log_loss == pytest.approx(log_loss(y, probabilities))


def test_the_interval_is_wilsons():
    """45 of 50 right is 0.90, from 0.786 to 0.957."""
    y = ["cats"] * 25 + ["dogs"] * 25
    probabilities = np.tile([[0.9, 0.1]], (50, 1))
    probabilities[25:45] = [0.1, 0.9]
    result = measure(["cats", "dogs"], y, probabilities)
    assert (result.n_correct, result.n_test, result.accuracy) == (45, 50, 0.9)
    assert result.accuracy_low == pytest.approx(0.7864, abs=1e-4)
    assert result.accuracy_high == pytest.approx(0.9565, abs=1e-4)


def test_rows_of_the_confusion_are_the_truth():
    """A cat predicted as a dog is in the row of the cats, and lowers the precision of the dogs."""
    y = ["cats", "cats", "dogs", "dogs"]
    probabilities = [[0.8, 0.2], [0.3, 0.7], [0.1, 0.9], [0.2, 0.8]]
    result = measure(["cats", "dogs"], y, probabilities)
    assert result.confusion == [[1, 1], [0, 2]]
    cats, dogs = result.classes
    assert (cats.name, cats.support, cats.precision, cats.recall) == ("cats", 2, 1.0, 0.5)
    assert (dogs.name, dogs.support, dogs.recall) == ("dogs", 2, 1.0)
    assert dogs.precision == pytest.approx(2 / 3)


def test_the_area_of_many_classes_is_their_mean_against_the_rest():
    """Macro-averaged one-vs-rest as in scikit-learn, with a curve for every class."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    probabilities = rng.dirichlet(np.ones(3), 200)
    result = measure([0, 1, 2], y, probabilities)
    assert result.roc_auc == pytest.approx(roc_auc_score(y, probabilities, multi_class="ovr"))
    assert [curve.label for curve in result.roc] == ["0", "1", "2"]


def test_a_class_without_test_images_leaves_the_area_undefined():
    """No warning, and the balanced accuracy is over the other classes."""
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.1, 0.8, 0.1]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = measure(["a", "b", "c"], ["a", "a", "b"], probabilities)
        alone = measure(["a", "b"], ["a", "a"], [[0.7, 0.3], [0.6, 0.4]])
    assert result.roc_auc is None
    assert result.balanced_accuracy == 0.75
    assert [curve.label for curve in result.roc] == ["a", "b"]
    assert (alone.roc_auc, alone.roc, alone.accuracy) == (None, [], 1.0)


def test_long_curves_are_thinned():
    """They keep their ends, and the area is that of all points."""
    y, probabilities = binary(8000)
    (curve,) = measure(["cats", "dogs"], y, probabilities).roc
    assert len(curve.fpr) == len(curve.tpr) <= ROC_POINTS
    assert (curve.fpr[0], curve.tpr[0], curve.fpr[-1], curve.tpr[-1]) == (0, 0, 1, 1)
    assert curve.auc == pytest.approx(roc_auc_score(y == "dogs", probabilities[:, 1]))


def test_no_test_images_are_an_error():
    """The message says what is missing."""
    with pytest.raises(ClassifierError, match="no test images"):
        measure(["a", "b"], [], np.empty((0, 2)))


def test_an_unknown_class_is_an_error():
    """The message names the classes that the classifier was not trained on."""
    with pytest.raises(ClassifierError, match="does not have: cow;"):
        measure(["a", "b"], ["a", "cow"], [[0.5, 0.5], [0.5, 0.5]])
