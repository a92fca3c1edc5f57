"""scikit-learn's own checks of its conventions, without an exception."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.estimators.centroid import Centroid
from classify.estimators.logreg import LogReg
from classify.estimators.nearest import Nearest
from classify.estimators.streamed import StreamedLogReg, StreamedSVM
from classify.estimators.svm import SVM
from classify.estimators.wrapped import WrappedClassifier
from classify.networks.cnn import ScratchCNN
from classify.networks.dense import DenseHead
from classify.networks.finetune import FineTune
from extract.libraries import import_tensorflow


@pytest.fixture(autouse=True)
def _networks_are_run_eagerly(request):
    """Spare the compilation of every network: hundreds are trained for one step each."""
    if "DenseHead" not in request.node.name:
        yield
        return
    tensorflow = import_tensorflow()
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Can't test estimator")  # of images or activations
@parametrize_with_checks(
    [
        SVM(),
        LogReg(),
        Nearest(),
        Centroid(),
        StreamedLogReg(),
        StreamedSVM(),
        WrappedClassifier(LogisticRegression()),
        DenseHead(epochs=1, learning_rate=0.03),
        ScratchCNN(),
        FineTune(),
    ]
)
def test_scikit_learns_conventions_are_kept(estimator, check):
    """Cloning, validation, error types, attributes, idempotence and the like, as everywhere."""
    assert check(estimator) is None
