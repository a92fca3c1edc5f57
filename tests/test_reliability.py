"""Every script of tests/reliability with its quick counts; `make reliability` runs the others."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "reliability"
PROMISES = {
    "archives": r"\d{3,} archives, 0 files left behind",
    "disk_faults": r"\d{3,} faults, .* 0 promises broken",
    "downloads": r"\d{3,} faults, 0 unverified files",
    "fuzz_readers": r"\d{3,} inputs, 0 crashes",
    "fuzz_store": r"\d{3,} steps, 0 differences",
    "hostile_images": r"\d{3,} hostile files, 0 runs stopped, 0 other embeddings changed",
    "kills": r"\d{2,} kills .*: 0 with rows lost, 0 with wrong rows, 0 promises broken",
    "many_at_once": r".*: 0 exceptions, lost rows or differences from a serial run",
    "models": r"\d{3,} canaries, 0 ran",
    "moving": r"\d{2,} checks .*, 0 promises broken",
    "power_cut": r"\d{3,} states .* 0 with committed rows lost, .* 0 promises broken",
    "rot": r"\d{2,} cases of rot, .* 0 with wrong rows read, 0 promises broken",
}
"""What the last line of each script says when nothing is broken."""


def test_every_script_is_run() -> None:
    """Whatever `make reliability` runs has its quick counts here."""
    scripts = {
        path.stem
        for path in FOLDER.glob("*.py")
        if re.search("^if __name__", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert scripts == set(PROMISES)


@pytest.mark.slow
@pytest.mark.parametrize("script", PROMISES)
def test_no_promise_is_broken(script: str) -> None:
    """Killed, cut off, filled up or lied to, the toolkit keeps what its script says."""
    if script == "downloads" and shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    done = subprocess.run(
        [sys.executable, FOLDER / f"{script}.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    last = done.stdout.splitlines()[-1]
    if last.startswith("skipped"):
        pytest.skip(last)
    assert re.fullmatch(PROMISES[script], last)
