"""How good a classifier is, how certain that is, and what would help."""
