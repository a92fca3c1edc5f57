"""Embeddings -> classifiers: trained, compared on the same split, saved and used again."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from classify.errors import ClassifierError, ModelError

if TYPE_CHECKING:
    from classify.auditing.audit import AuditResult, audit
    from classify.serving.model import Model, load_model

__all__ = [
    "AuditResult",
    "ClassifierError",
    "Model",
    "ModelError",
    "audit",
    "load_model",
]

_LAZY = {
    "AuditResult": "classify.auditing.audit",
    "Model": "classify.serving.model",
    "audit": "classify.auditing.audit",
    "load_model": "classify.serving.model",
}
"""Imported on first use, because scikit-learn takes over a second to import."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
