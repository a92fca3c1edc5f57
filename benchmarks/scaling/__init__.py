"""Benchmarks of what is large: many images, little memory, several machines, addresses."""
