"""The quick counts of ``tests/reliability/kills.py``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_no_kill_loses_a_committed_row() -> None:
    """Killed at any step or moment, a cache keeps what was committed."""
    script = Path(__file__).with_name("kills.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    assert re.search(r"kills .*: 0 with rows lost, 0 with wrong rows, 0 promises broken$", last), (
        last
    )
