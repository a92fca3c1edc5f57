"""The benchmarks behind the figures in README and docs: `python -m benchmarks.extract` and so on.

Run them from the repository's folder and as modules. A script's own folder comes first in Python's
search path, so `benchmarks/extract.py`, run as a script, would shadow the package `extract`.
"""
