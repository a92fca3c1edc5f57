"""Where the figures of README and docs come from: `python -m benchmarks.extract` and so on.

Run from the repository and as modules: a script's own folder comes first in Python's search
path, where `extract.py` would stand in for the package of that name.
"""
