"""The quick counts of ``tests/reliability/disk_faults.py``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_every_refusal_of_the_disk_is_one_clear_error() -> None:
    """What was committed stays readable, and the next run goes on."""
    script = Path(__file__).with_name("disk_faults.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    assert re.search(r"^\d+ faults, .* 0 promises broken$", last), last
