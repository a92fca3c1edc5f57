"""The quick counts of ``tests/reliability/many_at_once.py``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_many_processes_do_what_one_would_have_done() -> None:
    """No exception, no lost row, the same bytes."""
    script = Path(__file__).with_name("many_at_once.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    assert re.search(r": 0 exceptions, lost rows or differences from a serial run$", last), last
