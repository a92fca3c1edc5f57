"""Run ``python -m cache``."""

from toolkit.entry import run_process

run_process("cache.cli")
