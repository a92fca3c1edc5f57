"""The classifiers of a run: from names and estimators to uniquely named, untrained estimators."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from classify import registry
from classify.errors import ClassifierError
from classify.estimators.base import Classifier
from classify.estimators.wrapped import WrappedClassifier, check_estimator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classify.experiment.settings import TrainingSettings

_NAME = re.compile(r"[\w.+=-]+")
_SEEDS = 2**32


@dataclass(frozen=True)
class Candidate:
    """A classifier that a run trains and evaluates.

    Parameters
    ----------
    name : str
        Unique in the run.
    estimator : Classifier
        Untrained; it is copied and never trained itself.

    Examples
    --------
    >>> from classify.estimators.svm import SVM
    >>> Candidate("svm", SVM(kernel="rbf")).create(seed=3)
    SVM(kernel='rbf', random_state=3)
    """

    name: str
    estimator: Classifier

    @property
    def consumes(self) -> str:
        """What it is trained on: ``"embeddings"``, ``"images"`` or ``"activations"``."""
        return self.estimator.consumes

    @property
    def described(self) -> str:
        """The name, with the kernel where that decides what is possible."""
        rbf = self.estimator.get_params().get("kernel") == "rbf"
        return f"{self.name} with an rbf kernel" if rbf else self.name

    @property
    def streamed(self) -> Candidate | None:
        """The candidate that replaces it where the embeddings do not fit in memory, if any does."""
        name = registry.get_name(self.estimator)
        if name not in registry.STREAMED or self.estimator.get_params().get("kernel") == "rbf":
            return None
        cls = registry.get_class(name, streamed=True)
        known = set(cls().get_params())
        params = self.estimator.get_params(deep=False)
        return Candidate(self.name, cls(**{key: params[key] for key in params if key in known}))

    def create(self, seed: int) -> Classifier:
        """Return an untrained copy; `seed` is added to every `random_state` that is a number.

        A `random_state` of None becomes `seed`; a generator stays as it is.
        """
        estimator: Classifier = clone(self.estimator)
        states = {
            key: (value or 0) + seed
            for key, value in estimator.get_params().items()
            if key.rpartition("__")[2] == "random_state"
            and (value is None or isinstance(value, int))
        }
        estimator.set_params(**{key: state % _SEEDS for key, state in states.items()})
        return estimator


def candidates_of(classifiers: Any, settings: TrainingSettings) -> list[Candidate]:
    """Return the candidates that names and estimators stand for.

    Parameters
    ----------
    classifiers : str, estimator, tuple of (str, estimator), or sequence of these
        Names as in `classify.registry.parse_names`. An estimator without a name of its own is
        called by the name of its class in the registry, else by the name of its class.
    settings : TrainingSettings
        Parameters of the classifiers that are given by name.

    Returns
    -------
    list of Candidate
        In the order of `classifiers`. Where a name would appear twice, a number is added.

    Raises
    ------
    ClassifierError
        If there is none, or one is neither a known name nor a classifier.

    Examples
    --------
    >>> from classify.estimators.svm import SVM
    >>> from classify.experiment.settings import TrainingSettings
    >>> found = candidates_of(["logreg", SVM(), SVM(C=1)], TrainingSettings())
    >>> [candidate.name for candidate in found]
    ['logreg', 'svm', 'svm-2']
    """
    candidates: list[Candidate] = []
    for classifier in _as_list(classifiers):
        for name, estimator in _named(classifier, settings):
            taken = {candidate.name for candidate in candidates}
            candidates.append(Candidate(_unique(name, taken), estimator))
    if not candidates:
        raise ClassifierError(
            f"no classifier is given; choose from {', '.join(registry.CLASSIFIERS)}, all, or pass "
            "estimators",
            setting="clf",
        )
    return candidates


def _as_list(classifiers: Any) -> Sequence[Any]:
    if isinstance(classifiers, str) or hasattr(classifiers, "fit") or _is_named(classifiers):
        return [classifiers]
    if not isinstance(classifiers, Iterable):
        raise ClassifierError(
            "expected classifiers as names, estimators or a list of these, found "
            f"{type(classifiers).__name__}"
        )
    return list(classifiers)


def _is_named(classifier: Any) -> bool:
    """Return whether it is a pair of a name and an estimator, as scikit-learn's ensembles take."""
    return (
        isinstance(classifier, tuple)
        and len(classifier) == 2
        and isinstance(classifier[0], str)
        and not isinstance(classifier[1], str)
    )


def _named(classifier: Any, settings: TrainingSettings) -> list[tuple[str, Classifier]]:
    if isinstance(classifier, str):
        return [(name, settings.create(name)) for name in registry.parse_names(classifier)]
    if _is_named(classifier):
        name, estimator = classifier
        if not _NAME.fullmatch(name):
            raise ClassifierError(
                f"a classifier cannot be called {name!r}: expected letters, digits and any of ._+=-"
            )
        return [(name, _wrapped(estimator, name))]
    found = _wrapped(classifier, getattr(classifier, "__name__", type(classifier).__name__))
    return [(registry.get_name(found) or type(classifier).__name__, found)]


def _wrapped(estimator: Any, name: str) -> Classifier:
    if isinstance(estimator, Classifier):
        return estimator
    return WrappedClassifier(check_estimator(estimator, name))


def _unique(name: str, taken: set[str]) -> str:
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name}-{number}"
    return unique
