"""The settings of a run: parameters of the classifiers, and what a run does with them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from classify import registry
from classify.errors import ClassifierError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from classify.estimators.base import Classifier
    from classify.evaluation.decision import Decision, DecisionRule
    from extract.options import Options


@dataclass(frozen=True)
class TrainingSettings:
    """Parameters of the classifiers that a run is given by name.

    Parameters
    ----------
    kernel : {"auto", "linear", "rbf"}, default="auto"
        Kernel of the SVM; auto chooses by cross-validation.
    learning_rate : tuple of float, optional
        Learning rates of the networks. Of several, the best is chosen on a part of the training
        images. None is each network's own.
    unfreeze : str, default="1"
        For finetune: name of the first layer of the base that is trained, or the number of its last
        layers that are.
    mirror : bool, default=False
        For finetune: whether it is trained on mirror images, too.
    """

    kernel: str = "auto"
    learning_rate: tuple[float, ...] | None = None
    unfreeze: str = "1"
    mirror: bool = False

    def create(self, name: str) -> Classifier:
        """Return an untrained classifier with those of these parameters that it has.

        Parameters
        ----------
        name : str
            See `classify.registry.create`.

        Examples
        --------
        >>> TrainingSettings(kernel="linear", unfreeze="2").create("svm")
        SVM(kernel='linear')
        """
        if ":" in name:
            return registry.create(name)
        known = registry.parameter_names(name)
        params = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.learning_rate is None:
            del params["learning_rate"]
        else:
            params["learning_rate"] = list(self.learning_rate)
        return registry.create(name, **{key: params[key] for key in params if key in known})

    def without_effect(self, names: Sequence[str]) -> list[str]:
        """Return the settings that differ from their default, but that no classifier has.

        Parameters
        ----------
        names : sequence of str
            The classifiers, see `classify.registry`.

        Examples
        --------
        >>> TrainingSettings(kernel="rbf", mirror=True).without_effect(["svm", "dense"])
        ['augment']
        """
        known = {key for name in names if ":" not in name for key in registry.parameter_names(name)}
        default = TrainingSettings()
        return [
            "augment" if field.name == "mirror" else field.name
            for field in fields(self)
            if getattr(self, field.name) != getattr(default, field.name) and field.name not in known
        ]


@dataclass(frozen=True)
class RunSettings:
    """How a run evaluates its classifiers, and what else it computes.

    Parameters
    ----------
    repeats : int, default=1
        How often each classifier is trained, each time with another seed; the first is reported.
    seed : int, default=0
        Seed of everything random.
    calibrate : bool, default=False
        Whether probabilities are calibrated, on the training images.
    target_precision : float, optional
        Share of correct predictions for which a threshold is chosen, on the training images.
    reject : float, optional
        Share of familiar images that may be refused, so that images unlike all training images are.
    learning_curve : bool, default=False
        Whether classifiers of embeddings are also trained on fewer images.
    audit : bool, default=False
        Whether the run looks for wrong data.
    memory_limit : float, optional
        Bytes that the embeddings of a split may take in memory; None is half of the machine's.
    priors : dict of str to float or "equal", optional
        Share of each class among new images; None is the shares of the training split.
    decision : {"least-errors", "equal-classes"}, default="least-errors"
        Which class is answered; see `classify.evaluation.decision.DecisionRule`.
    """

    repeats: int = 1
    seed: int = 0
    calibrate: bool = False
    target_precision: float | None = None
    reject: float | None = None
    learning_curve: bool = False
    audit: bool = False
    memory_limit: float | None = None
    priors: Mapping[str, float] | str | None = None
    decision: Decision = "least-errors"

    def decision_rule(self, classes: Sequence[str], counts: Sequence[int]) -> DecisionRule:
        """Return what makes answers from probabilities.

        Parameters
        ----------
        classes : sequence of str, length n_classes
        counts : sequence of int, length n_classes
            Training images of each class.

        Raises
        ------
        ClassifierError
            If `priors` do not suit the classes, or a threshold is wished for, too.
        """
        from classify.evaluation.decision import DecisionRule, check_priors

        if self.priors is not None and self.target_precision is not None:
            raise ClassifierError(
                "a threshold for a target precision holds where the classes are as frequent as in "
                "the training split, but other priors are given; leave one of the two out",
                setting="priors",
            )
        priors = None if self.priors is None else list(check_priors(self.priors, classes).values())
        return DecisionRule.of(counts, priors, self.decision)


WITHOUT_EFFECT = ("data", "mirror_url", "cache", "workers", "batch_size")
"""Options of an extraction that change no figure; the record says by itself what the data are."""


def recorded(bases: Sequence[Options]) -> dict[str, Any]:
    """Return the options of an extraction that can change a figure, as a record holds them.

    Every field of `extract.options.Options` and of the settings in it is recorded, except
    `WITHOUT_EFFECT`.

    Parameters
    ----------
    bases : sequence of Options
        One for each frozen base. Where they differ, the value is a list.

    Examples
    --------
    >>> from extract.options import BaseSettings, Options
    >>> options = [Options(base=BaseSettings(name)) for name in ("vgg16", "resnet50")]
    >>> found = recorded(options)
    >>> found["backbone"], found["layout"]
    (['vgg16', 'resnet50'], 'auto')
    """
    of_each = [_flat(asdict(options)) for options in bases]
    found: dict[str, Any] = {}
    for name in of_each[0]:
        values = [options[name] for options in of_each]
        found[name] = values[0] if all(value == values[0] for value in values) else values
    return {name: value for name, value in found.items() if name not in WITHOUT_EFFECT}


def _flat(nested: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat
