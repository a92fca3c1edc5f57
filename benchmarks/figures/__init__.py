"""Simulations with known answers: whether each figure of a report means what it says."""
