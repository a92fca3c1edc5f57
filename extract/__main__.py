"""Run ``python -m extract``."""

from extract.cli import main
from toolkit.console import run_process

run_process(main)
