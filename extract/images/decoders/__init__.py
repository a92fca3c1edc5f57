"""Decode images in separate processes: the pool here, the worker there, and what they need."""
