"""The quick counts of ``tests/reliability/rot.py``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_rot_is_found_and_never_read() -> None:
    """A flipped bit, a cut file and a lying header are found, and repaired."""
    script = Path(__file__).with_name("rot.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    assert re.search(r"cases of rot, .* 0 with wrong rows read, 0 promises broken$", last), last
