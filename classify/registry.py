"""The names of the classifiers; a new classifier is its own file and one line here.

No classifier is imported before it is asked for, so that a command line can list the names at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from classify.errors import ClassifierError
from toolkit.errors import did_you_mean

if TYPE_CHECKING:
    from classify.estimators.base import Classifier

CLASSIFIERS: dict[str, str] = {
    "dense": "classify.networks.dense:DenseHead",
    "logreg": "classify.estimators.logreg:LogReg",
    "svm": "classify.estimators.svm:SVM",
    "ridge": "classify.estimators.ridge:RidgeClassifier",
    "lda": "classify.estimators.lda:LDA",
    "nearest": "classify.estimators.nearest:Nearest",
    "centroid": "classify.estimators.centroid:Centroid",
    "cnn": "classify.networks.cnn:ScratchCNN",
    "finetune": "classify.networks.finetune:FineTune",
}
STREAMED: dict[str, str] = {
    "dense": "classify.networks.dense:DenseHead",
    "logreg": "classify.estimators.streamed:StreamedLogReg",
    "svm": "classify.estimators.streamed:StreamedSVM",
    "ridge": "classify.estimators.ridge:RidgeClassifier",
    "lda": "classify.estimators.lda:LDA",
}
"""What replaces a classifier where the embeddings do not fit in memory."""
NOT_IN_ALL = ("ridge", "lda", "finetune")
"""Not part of ``all``: where everything fits in memory, the first two are what logistic regression
is, but less accurate; the last takes minutes and additional cache."""


def parse_names(spec: str) -> list[str]:
    """Return the names in a comma-separated list, each once.

    Parameters
    ----------
    spec : str
        Names of `CLASSIFIERS`; ``all``, which is every name that is not in `NOT_IN_ALL`; or
        ``module:Class`` for any scikit-learn classifier, which may have parameters in parentheses.

    Raises
    ------
    ClassifierError
        If a name is unknown, or there is none.

    Examples
    --------
    >>> parse_names("all")
    ['dense', 'logreg', 'svm', 'nearest', 'centroid', 'cnn']
    >>> parse_names("svm, logreg,svm")
    ['svm', 'logreg']
    >>> parse_names("svm,sklearn.svm:NuSVC(nu=0.1, kernel='rbf')")
    ['svm', "sklearn.svm:NuSVC(nu=0.1, kernel='rbf')"]
    """
    names: list[str] = []
    for part in filter(None, map(str.strip, _split(spec))):
        name = part.lower()
        if ":" in part:
            names.append(part)
        elif name == "all":
            names += [known for known in CLASSIFIERS if known not in NOT_IN_ALL]
        elif name in CLASSIFIERS:
            names.append(name)
        else:
            raise _unknown(name)
    if not names:
        raise ClassifierError(
            f"no classifier is named; choose from {', '.join(CLASSIFIERS)}, all", setting="clf"
        )
    return list(dict.fromkeys(names))


def _split(spec: str) -> list[str]:
    """Split at the commas that are neither in brackets nor in quotes."""
    parts, depth, quote = [""], 0, ""
    for character in spec:
        if quote:
            quote = "" if character == quote else quote
        elif depth and character in "\"'":
            quote = character
        else:
            depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def get_class(name: str, *, streamed: bool = False) -> type[Classifier]:
    """Return the class of a classifier.

    Parameters
    ----------
    name : str
        One of `CLASSIFIERS`. A ``module:Class`` is refused: this name may come from a file.
    streamed : bool, default=False
        Whether to return the class that replaces it where the embeddings do not fit in memory.

    Raises
    ------
    ClassifierError
        If the name is unknown.

    Examples
    --------
    >>> get_class("svm").__name__, get_class("svm", streamed=True).__name__
    ('SVM', 'StreamedSVM')
    """
    if name not in CLASSIFIERS:
        raise _unknown(name)
    module, _, attribute = (STREAMED if streamed else CLASSIFIERS)[name].partition(":")
    cls: type[Classifier] = getattr(importlib.import_module(module), attribute)
    return cls


def get_name(estimator: Any) -> str | None:
    """Return the name of an estimator's class, or None if it is not one of `CLASSIFIERS`.

    Examples
    --------
    >>> from classify.estimators.svm import SVM
    >>> get_name(SVM()), get_name(object())
    ('svm', None)
    """
    path = f"{type(estimator).__module__}:{type(estimator).__qualname__}"
    return next((name for name, where in CLASSIFIERS.items() if where == path), None)


def parameter_names(name: str) -> set[str]:
    """Return the names of a classifier's parameters.

    Raises
    ------
    ClassifierError
        If the name of the classifier is unknown.
    """
    return set(get_class(name)().get_params())


def create(name: str, *, seed: int = 0, **params: Any) -> Classifier:
    """Return an untrained classifier.

    Parameters
    ----------
    name : str
        One of `CLASSIFIERS`, or ``module:Class`` or ``module:Class(parameter=value)`` for any
        scikit-learn classifier, which is imported. Never pass a name that was read from a file.
    seed : int, default=0
        Its `random_state`, if it has one.
    **params
        Parameters of its class; those of a ``module:Class`` are in its name.

    Raises
    ------
    ClassifierError
        If the name is unknown, or the classifier does not have one of these parameters.

    Examples
    --------
    >>> create("svm", seed=1, kernel="linear")
    SVM(kernel='linear', random_state=1)
    """
    if ":" in name:
        from classify.estimators.wrapped import wrap_estimator

        return wrap_estimator(name, seed)
    cls, known = get_class(name), parameter_names(name)
    for param in params:
        if param not in known:
            raise ClassifierError(
                f"{name} has no parameter {param!r}; it has {', '.join(sorted(known))}"
            )
    return cls(**({"random_state": seed} if "random_state" in known else {}), **params)


def _unknown(name: str) -> ClassifierError:
    return ClassifierError(
        f"unknown classifier {name!r}{did_you_mean(name, CLASSIFIERS)}; choose from "
        f"{', '.join(CLASSIFIERS)}, all, or module:Class for any scikit-learn classifier",
        setting="clf",
    )
