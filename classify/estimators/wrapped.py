"""Any scikit-learn classifier on embeddings."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    LeaveOneGroupOut,
    LeavePGroupsOut,
    RandomizedSearchCV,
    StratifiedGroupKFold,
)
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from classify.errors import ClassifierError
from classify.estimators.base import FeatureClassifier
from classify.estimators.solvers.gram import unit_scale
from classify.estimators.solvers.probabilities import class_scores
from toolkit.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from toolkit.progress import Progress

GROUP_SPLITTERS = (
    GroupKFold,
    GroupShuffleSplit,
    LeaveOneGroupOut,
    LeavePGroupsOut,
    StratifiedGroupKFold,
)


class WrappedClassifier(FeatureClassifier):
    """A scikit-learn classifier on features scaled to unit mean squared norm.

    Parameters
    ----------
    estimator : classifier
        A scikit-learn classifier with `predict_proba` or `decision_function`. It is cloned.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    estimator_ : classifier
        The trained clone.
    scale_ : float
        Factor that gives the features unit mean squared norm.

    Examples
    --------
    >>> from sklearn.linear_model import RidgeClassifier
    >>> X = [[1.0, 0.1], [2.0, 0.0], [0.1, 1.0], [0.0, 3.0]]
    >>> model = WrappedClassifier(RidgeClassifier()).fit(X, ["right", "right", "up", "up"])
    >>> model.predict([[5.0, 1.0]]).tolist()
    ['right']
    """

    min_class_size: ClassVar[int] = 1

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    @property
    def title(self) -> str:  # type: ignore[override]  # a class attribute of the others
        """The name of the class, or of the classes of a pipeline's steps."""
        steps = [step for _, step in getattr(self.estimator, "steps", [("", self.estimator)])]
        names = [type(step).__name__ for step in steps if not isinstance(step, str)]
        return f"{' + '.join(names)} on frozen features"

    def _fit(
        self,
        features: NDArray[np.float32],
        codes: NDArray[np.int64],
        groups: NDArray[np.int64] | None,
        progress: Progress,
    ) -> None:
        self.scale_ = unit_scale(features)
        progress(f"{self.title}: training", 0, 1)
        params = {} if groups is None else dict.fromkeys(group_params(self.estimator), groups)
        with self._explained("trained on"):
            self.estimator_ = clone(self.estimator).fit(
                features * np.float32(self.scale_), self.classes_[codes], **params
            )
        progress(f"{self.title}: training", 1, 1)

    def _predict_proba(self, features: NDArray[np.float32]) -> NDArray[Any]:
        """Return the classifier's probabilities, or the softmax of its decision values."""
        features = features * np.float32(self.scale_)
        probabilities: NDArray[Any]
        with self._explained("used on"):
            if hasattr(self.estimator_, "predict_proba"):
                probabilities = self.estimator_.predict_proba(features)
            else:
                scores = class_scores(self.estimator_.decision_function(features))
                probabilities = softmax(scores, axis=1)
            if not np.isfinite(probabilities).all():
                raise ValueError("its probabilities are not finite")
        return probabilities

    @contextlib.contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        """Name the classifier in the errors that scikit-learn raises for its parameters or data."""
        try:
            yield
        except (ValueError, TypeError, ArithmeticError) as error:
            reason = str(error).rstrip(".")
            raise ClassifierError(
                f"{self.estimator} cannot be {done} these data: {reason}; choose other parameters "
                "or another classifier"
            ) from error


def group_params(estimator: Any) -> list[str]:
    """Return the parameters of an estimator's `fit` that take groups; none if it takes no groups.

    Parameters
    ----------
    estimator : estimator
        Of scikit-learn. Of a pipeline, the last step may take them; of a search, its splitter.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV, GroupKFold
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import SVC
    >>> search = GridSearchCV(SVC(), {"C": [0.1, 1]}, cv=GroupKFold(3))
    >>> group_params(search), group_params(SVC()), group_params(make_pipeline(search))
    (['groups'], [], ['gridsearchcv__groups'])
    """
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return [f"{name}__{param}" for param in group_params(last)]
    if isinstance(estimator, GridSearchCV | RandomizedSearchCV):
        return ["groups"] if isinstance(estimator.cv, GROUP_SPLITTERS) else []
    return ["groups"] if has_fit_parameter(estimator, "groups") else []


def validates_without_groups(estimator: Any) -> bool:
    """Return whether an estimator holds samples out in its own training, but takes no groups.

    Parameters
    ----------
    estimator : estimator
        Of scikit-learn: it validates if a parameter `cv` or `early_stopping` says so.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
    >>> validates_without_groups(LogisticRegression())
    False
    >>> validates_without_groups(LogisticRegressionCV())
    True
    """
    if group_params(estimator):
        return False
    return any(
        name.rpartition("__")[2] == "cv" or (name.endswith("early_stopping") and bool(value))
        for name, value in estimator.get_params().items()
    )


def wrap_estimator(name: str, seed: int) -> WrappedClassifier:
    """Return the classifier with the import path `name`, wrapped.

    Parameters
    ----------
    name : str
        ``module:Class`` or ``module:Class(parameter=value, ...)``. The module is imported, so
        `name` must not come from a file. Values are literals of Python: numbers, texts, lists.
    seed : int
        Its `random_state`, if it has one.

    Raises
    ------
    ClassifierError
        If it cannot be imported, is not a scikit-learn classifier, or does not have these
        parameters.

    Examples
    --------
    >>> wrap_estimator("sklearn.naive_bayes:GaussianNB", seed=0)
    WrappedClassifier(estimator=GaussianNB())
    >>> wrap_estimator("sklearn.svm:LinearSVC(C=10, dual=True)", seed=0).estimator.C
    10
    """
    module_name, _, call = name.partition(":")
    attribute, params = _parse_call(call, name)
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError) as error:
        raise ClassifierError(f"cannot import the classifier {name}: {error}") from error
    cls = getattr(module, attribute, None)
    if cls is None:
        raise ClassifierError(
            f"the module {module_name} has no class {attribute!r}"
            f"{did_you_mean(attribute, dir(module))}"
        )
    if not (inspect.isclass(cls) and issubclass(cls, BaseEstimator)):
        raise ClassifierError(f"{name} is not the class of a scikit-learn classifier")
    try:
        estimator: Any = cls(**params)
    except TypeError as error:
        given = "with these" if params else "without"
        raise ClassifierError(f"{name} cannot be created {given} parameters: {error}") from error
    wrapped = WrappedClassifier(check_estimator(estimator, name))
    if "random_state" in estimator.get_params() and "random_state" not in params:
        estimator.set_params(random_state=seed)
    return wrapped


def _parse_call(call: str, name: str) -> tuple[str, dict[str, Any]]:
    """Return the class and the parameters of ``Class(parameter=value)``, whose values are literals.

    Nothing of it is run.
    """
    attribute, bracket, _ = call.partition("(")
    if not bracket:
        return call, {}
    try:
        tree = ast.parse(call.strip(), mode="eval").body
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.args:
            raise ValueError("expected Class(parameter=value)")
        if any(keyword.arg is None for keyword in tree.keywords):
            raise ValueError("expected parameter=value, found **")
        params = {str(word.arg): ast.literal_eval(word.value) for word in tree.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise ClassifierError(
            f"cannot read the parameters of {name}: expected module:Class(parameter=value, ...) "
            f"with numbers, texts in quotes, True, False, None or lists as values ({error})"
        ) from error
    return attribute.strip(), params


def check_estimator(estimator: Any, name: str) -> Any:
    """Return a scikit-learn classifier if it gives probabilities or decision values.

    Parameters
    ----------
    estimator : object
        An instance.
    name : str
        What a message calls it.

    Raises
    ------
    ClassifierError
        If it is something else.

    Examples
    --------
    >>> from sklearn.svm import SVC
    >>> check_estimator(SVC(), "SVC")
    SVC()
    """
    if inspect.isclass(estimator):
        raise ClassifierError(
            f"{name} is a class, expected an instance; write {estimator.__name__}()"
        )
    if not isinstance(estimator, BaseEstimator) or not is_classifier(estimator):
        raise ClassifierError(
            f"{name} is not a classifier: expected an estimator of scikit-learn or of this "
            f"package, found {type(estimator).__name__}"
        )
    if not (hasattr(estimator, "predict_proba") or hasattr(estimator, "decision_function")):
        raise ClassifierError(
            f"{name} has neither predict_proba nor decision_function, one of which is needed for "
            "probabilities; choose another classifier, or wrap it in CalibratedClassifierCV"
        )
    return estimator
