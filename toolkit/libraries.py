"""Large libraries without their messages, progress bars and telemetry; versions of libraries.

Every part of the toolkit that needs TensorFlow, Keras, KerasHub, OpenVINO or NNCF imports it
through this module, and only inside the function that needs it: importing TensorFlow takes about
five seconds.

Ctrl-C takes effect after an import. During it, Ctrl-C may look like a missing module, which these
libraries do without: they catch it, and go on.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import platform
import sys
import tempfile
from importlib import metadata
from typing import TYPE_CHECKING, Any

from toolkit import ctrl_c
from toolkit.phases import phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@ctrl_c.deferred()
@phase("importing TensorFlow")
def import_tensorflow() -> Any:
    """Return the module `tensorflow`, imported silently and with its devices already listed.

    Listing the devices here also hides CUDA's warnings on machines without a GPU. If the import
    fails, the hidden messages are shown.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _stderr_held_back():
        import tensorflow as tf

        tf.config.list_logical_devices()
        tf.get_logger().setLevel("ERROR")  # several networks cause retracings that it warns of
    return tf


@ctrl_c.deferred()
def import_keras() -> Any:
    """Return the module `keras`, imported silently.

    TensorFlow is imported first, unless the environment variable ``KERAS_BACKEND`` names another
    backend: it would take the memory of a GPU that the other one needs.
    """
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        import_tensorflow()
    import keras

    return keras


@ctrl_c.deferred()
@phase("importing KerasHub")
def import_keras_hub() -> Any:
    """Return the module `keras_hub`, imported silently."""
    import_keras()
    with _stderr_held_back():
        import keras_hub

    return keras_hub


@ctrl_c.deferred()
@phase("importing OpenVINO")
def import_openvino() -> Any:
    """Return the module `openvino`, imported without its telemetry."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # makes it unimportable
    import openvino

    return openvino


@functools.cache
def openvino_core() -> Any:
    """Return the one `openvino.Core` of this process, which is never deleted.

    Each core with a network for the processor gives the thread a stack for signals. Two that are
    not deleted in reverse order leave the stack of the first one, whose memory is free by then, and
    the next signal, Ctrl-C say, kills the process.
    """
    return import_openvino().Core()


@ctrl_c.deferred()
@phase("importing NNCF")
def import_nncf() -> Any:
    """Return the module `nncf`, imported without its telemetry; it logs only errors."""
    import_openvino()
    import nncf

    nncf.set_log_level(logging.ERROR)
    return nncf


@contextlib.contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, and show it only if the block fails.

    C++ code writes there before any logging is set up. `contextlib.redirect_stderr` replaces a
    Python object, so it would not catch these lines.
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


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of packages, without importing them.

    Examples
    --------
    >>> found = versions(["numpy", "no-such-package"])
    >>> list(found)
    ['python', 'numpy', 'no-such-package']
    >>> found["no-such-package"]
    'not installed'
    """
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
