"""Import the big libraries without what they write, draw and send unasked.

Every part of the toolkit that computes with TensorFlow, Keras, OpenVINO or NNCF imports them
through here, and only inside the function that needs them: TensorFlow's import costs about five
seconds.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def import_tensorflow() -> Any:
    """Return the module `tensorflow`, imported silently and with its devices already looked up.

    Looking up the devices here keeps CUDA's complaints on machines without a GPU out of sight too.
    What was written is shown after all if the import fails.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _stderr_held_back():
        import tensorflow as tf

        tf.config.list_logical_devices()
        tf.get_logger().setLevel("ERROR")  # it counts retracings that several networks must have
    return tf


def import_keras() -> Any:
    """Return the module `keras`, imported silently."""
    import_tensorflow()
    import keras

    return keras


def import_openvino() -> Any:
    """Return the module `openvino`, which then sends nobody word of how it is used."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # not importable
    import openvino

    return openvino


def import_nncf() -> Any:
    """Return the module `nncf`, which then sends nothing and logs nothing but errors."""
    import_openvino()
    import nncf

    nncf.set_log_level(logging.ERROR)
    return nncf


@contextlib.contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, and let it out only if the block fails.

    The lines come from C++ before any logging is set up, so `contextlib.redirect_stderr`, which
    replaces a Python object, would not catch them.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            sys.stderr.flush()
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
