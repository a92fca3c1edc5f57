"""scikit-learn's own tests of its conventions, on the estimators that train in milliseconds."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.centroid import Centroid
from classify.logreg import LogReg
from classify.nearest import Nearest
from classify.streamed import StreamedLogReg, StreamedSVM
from classify.svm import SVM

FLOAT32 = {
    "check_methods_subset_invariance": "kernels are float32, so that a sample's seventh digit "
    "depends on the batch that it is in"
}


@pytest.mark.slow
@parametrize_with_checks(
    [SVM(), LogReg(), Nearest(), Centroid(), StreamedLogReg(), StreamedSVM()],
    expected_failed_checks=lambda estimator: {} if isinstance(estimator, LogReg) else FLOAT32,
)
def test_scikit_learns_conventions_are_kept(estimator, check):
    """Cloning, validation, error types, attributes, idempotence and the like, as everywhere."""
    assert check(estimator) is None
