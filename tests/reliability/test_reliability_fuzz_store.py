"""The quick counts of ``tests/reliability/fuzz_store.py``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_store_is_a_dictionary() -> None:
    """The store knows what a dictionary knows, whatever is done to it."""
    script = Path(__file__).with_name("fuzz_store.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.fullmatch(r"\d{3,} steps, 0 differences", done.stdout.splitlines()[-1])
