"""The quick counts of ``tests/reliability/hostile_images.py``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_no_hostile_file_stops_a_run_or_changes_another_embedding() -> None:
    """Each loses itself at most, within ten seconds."""
    script = Path(__file__).with_name("hostile_images.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    expected = r"\d{3,} hostile files, 0 runs stopped, 0 other embeddings changed"
    assert re.fullmatch(expected, done.stdout.splitlines()[-1])
