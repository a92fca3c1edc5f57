"""Verify, repair, prune and recompute what the cache holds."""
