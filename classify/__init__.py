"""Embeddings -> classifiers: trained, compared on the same split, saved and used again."""

from classify.errors import ClassifierError, ModelError

__all__ = ["ClassifierError", "ModelError"]
