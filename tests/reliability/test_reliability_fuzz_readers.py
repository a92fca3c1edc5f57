"""The quick counts of ``tests/reliability/fuzz_readers.py``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_no_input_crashes_a_reader() -> None:
    """The readers raise nothing but the toolkit's own errors."""
    script = Path(__file__).with_name("fuzz_readers.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.fullmatch(r"\d{3,} inputs, 0 crashes", done.stdout.splitlines()[-1])
