"""How the classifiers of a run are trained, and what else a run finds out about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from classify import registry

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class TrainingSettings:
    """How the classifiers of a run are trained, and what else a run finds out about them.

    Parameters
    ----------
    kernel : {"auto", "linear", "rbf"}, default="auto"
        Kernel of the SVM; auto chooses by cross-validation.
    class_weight : {"balanced", None}, default="balanced"
        Whether all classes count the same in training, or all images do.
    learning_rate : tuple of float, optional
        Learning rates of the networks. Of several, the best is chosen on a part of the training
        images. None is each network's own.
    unfreeze : str, default="1"
        For finetune: name of the first layer of the base that is trained, or the number of its last
        layers that are.
    mirror : bool, default=False
        For finetune: whether it is trained on mirror images, too.
    repeats : int, default=1
        How often each classifier is trained, each time with another seed; the first is reported.
    target_precision : float, optional
        Share of correct predictions that a threshold is chosen for, on the training images.
    calibrate : bool, default=False
        Whether probabilities are calibrated, on the training images.
    learning_curve : bool, default=False
        Whether classifiers of embeddings are also trained on fewer images.
    audit : bool, default=False
        Whether the run looks for wrong data.
    memory_limit : float, optional
        Bytes that the embeddings of a split may take in memory; None is half of the machine's.
    """

    kernel: str = "auto"
    class_weight: Literal["balanced"] | None = "balanced"
    learning_rate: tuple[float, ...] | None = None
    unfreeze: str = "1"
    mirror: bool = False
    repeats: int = 1
    target_precision: float | None = None
    calibrate: bool = False
    learning_curve: bool = False
    audit: bool = False
    memory_limit: float | None = None

    def without_effect(self, names: Sequence[str]) -> list[str]:
        """Return the options that were set, but that none of these classifiers has.

        Parameters
        ----------
        names : sequence of str
            See `classify.registry`.
        """
        known = {name for one in names if ":" not in one for name in registry.parameters(one)}
        return [
            f"--{'augment' if name == 'mirror' else name.replace('_', '-')}"
            for name in ("kernel", "class_weight", "learning_rate", "unfreeze", "mirror")
            if getattr(self, name) != getattr(TrainingSettings, name) and name not in known
        ]
