"""Run ``python -m reports``."""

from toolkit.entry import run_process

run_process("reports.cli")
