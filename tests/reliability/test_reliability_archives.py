"""The quick counts of ``tests/reliability/archives.py``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_no_archive_leaves_anything_behind() -> None:
    """Every hostile archive is refused whole."""
    script = Path(__file__).with_name("archives.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.fullmatch(r"\d{3,} archives, 0 files left behind", done.stdout.splitlines()[-1])
