"""scikit-learn's own tests of its conventions, without an exception."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.estimators.centroid import Centroid
from classify.estimators.logreg import LogReg
from classify.estimators.nearest import Nearest
from classify.estimators.streamed import StreamedLogReg, StreamedSVM
from classify.estimators.svm import SVM
from classify.networks.dense import DenseHead


@pytest.mark.slow
@parametrize_with_checks(
    [
        SVM(),
        LogReg(),
        Nearest(),
        Centroid(),
        StreamedLogReg(),
        StreamedSVM(),
        DenseHead(),
    ]
)
def test_scikit_learns_conventions_are_kept(estimator, check):
    """Cloning, validation, error types, attributes, idempotence and the like, as everywhere."""
    assert check(estimator) is None
