"""Run ``python -m extract``."""

from toolkit.entry import run_process
from toolkit.phases import process_started

run_process("extract.cli", started=process_started())
