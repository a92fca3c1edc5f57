"""The quick counts of ``tests/reliability/models.py``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_no_canary_runs() -> None:
    """No canary that is given to the toolkit runs its code."""
    script = Path(__file__).with_name("models.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.fullmatch(r"\d{3,} canaries, 0 ran", done.stdout.splitlines()[-1])
