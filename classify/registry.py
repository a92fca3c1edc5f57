"""The classifiers by the names that `--clf` takes; a new one is its file and one line here.

Nothing is imported before a classifier is asked for, so that a command line can list the names at
once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from classify.errors import ClassifierError

if TYPE_CHECKING:
    from classify.base import Classifier

CLASSIFIERS: dict[str, str] = {
    "dense": "classify.dense:DenseHead",
    "logreg": "classify.logreg:LogReg",
    "svm": "classify.svm:SVM",
    "cnn": "classify.cnn:ScratchCNN",
}


def names(spec: str) -> list[str]:
    """Return the names in a comma-separated list, or every name for ``all``; each once.

    Raises
    ------
    ClassifierError
        If a name is unknown, or there is none.

    Examples
    --------
    >>> names("all")
    ['dense', 'logreg', 'svm', 'cnn']
    >>> names("svm, logreg,svm")
    ['svm', 'logreg']
    """
    chosen: list[str] = []
    for name in (part.strip().lower() for part in spec.split(",")):
        if name == "all":
            chosen += CLASSIFIERS
        elif name in CLASSIFIERS:
            chosen.append(name)
        else:
            raise _unknown(name)
    return list(dict.fromkeys(chosen))


def classifier(name: str) -> type[Classifier]:
    """Return the class of the classifier `name`.

    Raises
    ------
    ClassifierError
        If the name is unknown.
    """
    if name not in CLASSIFIERS:
        raise _unknown(name)
    module, _, attribute = CLASSIFIERS[name].partition(":")
    found: type[Classifier] = getattr(importlib.import_module(module), attribute)
    return found


def make(name: str, *, seed: int, **options: Any) -> Classifier:
    """Return an untrained classifier.

    Parameters
    ----------
    name : str
    seed : int
        Its `random_state`.
    **options
        Parameters of its class.

    Raises
    ------
    ClassifierError
        If the name is unknown, or the classifier has no parameter of one of these names.
    """
    kind = classifier(name)
    known = kind().get_params()
    for option in options:
        if option not in known:
            raise ClassifierError(
                f"{name} has no parameter {option!r}; it has {', '.join(sorted(known))}"
            )
    return kind(random_state=seed, **options)


def _unknown(name: str) -> ClassifierError:
    return ClassifierError(
        f"unknown classifier {name!r}; choose from {', '.join(CLASSIFIERS)} "
        "(several separated by commas) or all"
    )
