"""The quick counts of ``tests/reliability/downloads.py``."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_no_fault_of_a_server_leaves_an_unverified_file() -> None:
    """Every fault ends in a verified file or in one clear error."""
    script = Path(__file__).with_name("downloads.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.fullmatch(r"\d{3,} faults, 0 unverified files", done.stdout.splitlines()[-1])
