"""Float32 with all of its bits, on GPUs that would otherwise round it to TF32."""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def full_float32(backend: str) -> Iterator[None]:
    """Compute float32 in full precision within this context; on processors nothing changes.

    TensorFlow, PyTorch and JAX round the inputs of convolutions to 11 of 24 bits on GPUs that can.
    The relative error of an embedding of VGG16 is then 7e-4 instead of 2e-6 (see
    docs/benchmarks.md), about that of float16.

    Parameters
    ----------
    backend : str
        Keras's: ``"tensorflow"``, ``"torch"`` or ``"jax"``. Others compute in full precision.
    """
    if backend == "jax":
        with importlib.import_module("jax").default_matmul_precision("highest"):
            yield
    elif backend == "torch":
        cudnn = importlib.import_module("torch").backends.cudnn
        before, cudnn.allow_tf32 = cudnn.allow_tf32, False
        try:
            yield
        finally:
            cudnn.allow_tf32 = before
    elif backend == "tensorflow":
        config = importlib.import_module("tensorflow").config.experimental
        before = config.tensor_float_32_execution_enabled()
        config.enable_tensor_float_32_execution(False)
        try:
            yield
        finally:
            config.enable_tensor_float_32_execution(before)
    else:
        yield
