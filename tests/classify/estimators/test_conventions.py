"""scikit-learn's own checks of its conventions, without an exception."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from classify.estimators.centroid import Centroid
from classify.estimators.lda import LDA
from classify.estimators.logreg import LogReg
from classify.estimators.nearest import Nearest
from classify.estimators.ridge import RidgeClassifier
from classify.estimators.streamed import StreamedLogReg, StreamedSVM
from classify.estimators.svm import SVM
from classify.estimators.wrapped import WrappedClassifier
from classify.networks.cnn import ScratchCNN
from classify.networks.dense import DenseHead
from classify.networks.finetune import FineTune
from toolkit.libraries import import_tensorflow


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
@parametrize_with_checks(
    [
        SVM(C=[0.1, 1.0]),
        LogReg(),
        RidgeClassifier(),
        LDA(),
        Nearest(),
        Centroid(),
        StreamedLogReg(),
        StreamedSVM(),
        WrappedClassifier(LogisticRegression()),
        DenseHead(epochs=1, batch_size=300, learning_rate=0.3),
    ]
)
def test_scikit_learns_conventions_are_kept(estimator, check):
    """Cloning, validation, error types, attributes, idempotence and the like, as everywhere."""
    assert check(estimator) is None


@pytest.mark.parametrize("network", [ScratchCNN(), FineTune()], ids=["ScratchCNN", "FineTune"])
@pytest.mark.parametrize(
    "check",
    [
        "check_estimator_cloneable",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_estimator_repr",
        "check_no_attributes_set_in_init",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_mixin_order",
    ],
)
def test_networks_on_images_keep_the_conventions_that_need_no_data(network, check):
    """The other checks train on a table of features, which these networks do not take."""
    getattr(estimator_checks, check)(type(network).__name__, network)
