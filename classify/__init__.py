"""Embeddings -> classifiers: trained, compared on the same split, saved and used again."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from classify.errors import ClassifierError, ModelError

if TYPE_CHECKING:
    from classify.auditing.audit import AuditResult, audit
    from classify.estimators.centroid import Centroid
    from classify.estimators.lda import LDA
    from classify.estimators.logreg import LogReg
    from classify.estimators.nearest import Nearest
    from classify.estimators.ridge import RidgeClassifier
    from classify.estimators.svm import SVM
    from classify.experiment.compare import compare
    from classify.explaining.evidence import Evidence
    from classify.networks.cnn import ScratchCNN
    from classify.networks.dense import DenseHead
    from classify.networks.finetune import FineTune
    from classify.serving.loading import load_model
    from classify.serving.model import Model

__all__ = [
    "LDA",
    "SVM",
    "AuditResult",
    "Centroid",
    "ClassifierError",
    "DenseHead",
    "Evidence",
    "FineTune",
    "LogReg",
    "Model",
    "ModelError",
    "Nearest",
    "RidgeClassifier",
    "ScratchCNN",
    "audit",
    "compare",
    "load_model",
]

_LAZY = {
    "AuditResult": "classify.auditing.audit",
    "Centroid": "classify.estimators.centroid",
    "DenseHead": "classify.networks.dense",
    "Evidence": "classify.explaining.evidence",
    "FineTune": "classify.networks.finetune",
    "LDA": "classify.estimators.lda",
    "LogReg": "classify.estimators.logreg",
    "Model": "classify.serving.model",
    "Nearest": "classify.estimators.nearest",
    "RidgeClassifier": "classify.estimators.ridge",
    "SVM": "classify.estimators.svm",
    "ScratchCNN": "classify.networks.cnn",
    "audit": "classify.auditing.audit",
    "compare": "classify.experiment.compare",
    "load_model": "classify.serving.loading",
}
"""Imported on first use, because scikit-learn takes over a second to import."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
