"""Packages and machine of a run, for whoever wants to repeat it."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path
from typing import Any

PACKAGES = (
    "frozen-features",
    "keras",
    "tensorflow",
    "numpy",
    "opencv-python",
    "scikit-learn",
    "scipy",
    "skops",
)
"""Those that influence the figures of a run."""


def machine() -> dict[str, Any]:
    """Return what determines the times: system, processor, cores and memory in GiB."""
    import joblib

    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": int(joblib.cpu_count()),
        "memory_gib": memory_gib(),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_limit() -> float:
    """Return half of the memory of this machine in bytes; infinity if its size is unknown."""
    total = memory_gib()
    return math.inf if total is None else total * 2**30 / 2


def memory_gib() -> float | None:
    """Return the memory of this machine in GiB, or None if its size is unknown."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):  # not every system has these names
        return None
