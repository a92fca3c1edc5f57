"""Ctrl-C and the end of a process in which networks have run in threads of OpenVINO."""

from __future__ import annotations

import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from tests.commands import python

if TYPE_CHECKING:
    from pathlib import Path

NETWORK = """
    import gc, signal
    import numpy as np
    from extract.engines.openvino import OpenVINOEngine, pack
    from extract.engines.processor import machine
    from toolkit.libraries import import_nncf, import_openvino

    ops = import_openvino().opset13

    def network():
        image = ops.parameter([1, 8, 8, 3], np.uint8)
        kernel = ops.constant(np.ones((4, 3, 3, 3), np.float32))
        floats = ops.transpose(ops.convert(image, "f32"), [0, 3, 1, 2])
        found = ops.convolution(floats, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
        return import_openvino().Model([found], [image])

    images = np.zeros((4, 8, 8, 3), np.uint8)
"""
RETURNING = """
    import time
    from extract.engines.openvino import _Begun
    keep = _Begun.keep

    def slowly_return(*arguments):
        keep(*arguments)
        time.sleep(0.01)

    _Begun.keep = slowly_return
    engine = OpenVINOEngine(pack(network()))
"""
DELETED = """
    first, second = OpenVINOEngine(pack(network())), OpenVINOEngine(pack(network()))
    first(images), second(images), machine()
    del first
    gc.collect()
    del second
    gc.collect()
"""
CALIBRATED = """
    engine = OpenVINOEngine(pack(network()))
    engine(images)
    for _ in range(2):
        quantised = import_nncf().quantize(network(), import_nncf().Dataset(list(images[:, None])))
        other = OpenVINOEngine(pack(quantised), "int8")
        other(images)
    del engine
    gc.collect()
"""
INTERRUPTED = """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.parametrize("last", ["engine(images)", "finish = engine.begin(images)"])
def test_a_process_ends_while_a_network_is_running(last: str, tmp_path: Path) -> None:
    """As after Ctrl-C, or as soon as the last embedding is there: no thread aborts the process."""
    program = "".join(map(dedent, (NETWORK, RETURNING, last)))
    done = python("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only there, OpenVINO gives threads a stack")
@pytest.mark.parametrize("before", [DELETED, CALIBRATED], ids=["deleted", "calibrated"])
def test_ctrl_c_interrupts_and_does_not_kill(before: str, tmp_path: Path) -> None:
    """OpenVINO gives threads a stack for signals, whose memory is not freed while it is in use."""
    program = "".join(map(dedent, (NETWORK, before, INTERRUPTED)))
    done = python("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("interrupted\n")
