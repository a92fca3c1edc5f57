"""Figures against the strongest rivals, which have an environment of their own."""
