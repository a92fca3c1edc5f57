"""Run ``python -m classify``."""

from toolkit.entry import run_process
from toolkit.phases import process_started

run_process("classify.cli", started=process_started())
