"""Run ``python -m classify``."""

from classify.cli import main
from toolkit.console import run_process

run_process(main)
