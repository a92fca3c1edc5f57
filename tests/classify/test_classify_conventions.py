"""scikit-learn's own tests of its conventions, without an exception."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.centroid import Centroid
from classify.dense import DenseHead
from classify.logreg import LogReg
from classify.nearest import Nearest
from classify.streamed import StreamedLogReg, StreamedSVM
from classify.svm import SVM


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
