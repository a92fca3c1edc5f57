"""The quick counts of ``tests/reliability/power_cut.py``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_no_power_cut_leaves_a_row_named_that_is_not_whole() -> None:
    """Whatever was not fsynced may be lost or torn, and nothing committed is."""
    script = Path(__file__).with_name("power_cut.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    if last.startswith("skipped"):
        pytest.skip(last)
    assert re.search(
        r"^\d{3,} states .* 0 with committed rows lost, .* 0 promises broken$", last
    ), last
