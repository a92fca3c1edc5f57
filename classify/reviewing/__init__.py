"""Reviewing the labels of a run: which images to look at, what was decided, and what changes."""
