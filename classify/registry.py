"""The classifiers by the names that `--clf` takes; a new one is its file and one line here.

Nothing is imported before a classifier is asked for, so that a command line can list the names at
once.
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
    "nearest": "classify.estimators.nearest:Nearest",
    "centroid": "classify.estimators.centroid:Centroid",
    "cnn": "classify.networks.cnn:ScratchCNN",
    "finetune": "classify.networks.finetune:FineTune",
}
IN_ONE_PASS: dict[str, str] = {
    "logreg": "classify.estimators.streamed:StreamedLogReg",
    "svm": "classify.estimators.streamed:StreamedSVM",
}
"""What stands in for a classifier where the embeddings are not to be in memory."""
LONG = "finetune"
"""What takes minutes and a cache of its own, and is trained only if it is named."""


def names(spec: str) -> list[str]:
    """Return the names in a comma-separated list, or every name but `LONG` for ``all``; each once.

    A name with a colon is a scikit-learn classifier of the user's, ``module:Class``.

    Raises
    ------
    ClassifierError
        If a name is unknown, or there is none.

    Examples
    --------
    >>> names("all")
    ['dense', 'logreg', 'svm', 'nearest', 'centroid', 'cnn']
    >>> names("svm, logreg,svm")
    ['svm', 'logreg']
    """
    chosen: list[str] = []
    for part in filter(None, map(str.strip, spec.split(","))):
        name = part.lower()
        if ":" in part:
            chosen.append(part)
        elif name == "all":
            chosen += [known for known in CLASSIFIERS if known != LONG]
        elif name in CLASSIFIERS:
            chosen.append(name)
        else:
            raise _unknown(name)
    if not chosen:
        raise ClassifierError(f"no classifier is named; choose from {', '.join(CLASSIFIERS)}, all")
    return list(dict.fromkeys(chosen))


def classifier(name: str, *, in_one_pass: bool = False) -> type[Classifier]:
    """Return the class of the classifier `name`, or of what stands in for it `IN_ONE_PASS`.

    Raises
    ------
    ClassifierError
        If the name is unknown.
    """
    if name not in CLASSIFIERS:
        raise _unknown(name)
    module, _, attribute = (IN_ONE_PASS if in_one_pass else CLASSIFIERS)[name].partition(":")
    found: type[Classifier] = getattr(importlib.import_module(module), attribute)
    return found


def parameters(name: str, *, in_one_pass: bool = False) -> set[str]:
    """Return the names of a classifier's parameters."""
    return set(classifier(name, in_one_pass=in_one_pass)().get_params())


def kind(name: str) -> type[Classifier]:
    """Return the class of the classifier that a user has named.

    Raises
    ------
    ClassifierError
        If there is none.
    """
    return type(make(name, seed=0)) if ":" in name else classifier(name)


def make(name: str, *, seed: int, in_one_pass: bool = False, **options: Any) -> Classifier:
    """Return an untrained classifier.

    Parameters
    ----------
    name : str
    seed : int
        Its `random_state`, if it has one.
    in_one_pass : bool
        Whether it is the one that stands in for it `IN_ONE_PASS`.
    **options
        Parameters of its class.

    Raises
    ------
    ClassifierError
        If the name is unknown, or the classifier has no parameter of one of these names. One of the
        user's own takes none.
    """
    if ":" in name:
        from classify.estimators.wrapped import wrap_estimator

        return wrap_estimator(name, seed)
    found = classifier(name, in_one_pass=in_one_pass)
    known = parameters(name, in_one_pass=in_one_pass)
    for option in options:
        if option not in known:
            raise ClassifierError(
                f"{name} has no parameter {option!r}; it has {', '.join(sorted(known))}"
            )
    return found(**({"random_state": seed} if "random_state" in known else {}), **options)


def _unknown(name: str) -> ClassifierError:
    return ClassifierError(
        f"unknown classifier {name!r}{did_you_mean(name, CLASSIFIERS)}; choose from "
        f"{', '.join(CLASSIFIERS)} (several separated by commas), all, or module:Class for one of "
        "scikit-learn's"
    )
