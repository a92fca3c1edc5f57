"""How familiar samples are, and what becomes of those that are not."""
