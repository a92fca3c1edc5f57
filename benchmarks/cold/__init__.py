"""Whole commands that begin with an empty cache."""
