"""The quick counts of ``tests/reliability/moving.py``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_cache_can_be_moved_and_is_never_overwritten() -> None:
    """Moved it is warm, newer it is refused, older it is set aside."""
    script = Path(__file__).with_name("moving.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    assert re.search(r"^\d+ checks .*, 0 promises broken$", last), last
