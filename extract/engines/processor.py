"""What this machine's processor computes fast."""

from __future__ import annotations

import platform
from pathlib import Path

from toolkit.libraries import import_openvino, openvino_core

_INT8_INSTRUCTIONS = {"avx512_vnni", "avx_vnni", "amx_int8", "avx_vnni_int8"}


def has_int8() -> bool:
    """Return whether the processor multiplies 8-bit integers faster than 32-bit numbers.

    It is read from ``/proc/cpuinfo`` on Linux with an x86 processor, and assumed elsewhere.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    flags = next((line for line in lines if line.startswith("flags")), "")
    if platform.machine() not in ("x86_64", "AMD64") or not flags:
        return True
    return not _INT8_INSTRUCTIONS.isdisjoint(flags.split())


def has_bfloat16() -> bool:
    """Return whether OpenVINO computes in bfloat16 with the processor's own instructions.

    Those are ``avx512_bf16`` and ``amx_bf16``. Without them, OpenVINO emulates bfloat16.
    """
    capabilities = openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


def machine() -> str:
    """Return what decides how fast a network runs: the processor, its cores and OpenVINO."""
    import joblib

    ov = import_openvino()
    name = openvino_core().get_property("CPU", "FULL_DEVICE_NAME")
    return f"{name}, {joblib.cpu_count()} cores, OpenVINO {ov.__version__}"
