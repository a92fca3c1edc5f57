"""What the machines of a cluster have installed: all need the same."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import logging
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from extract.errors import ClusterError

logger = logging.getLogger(__name__)

OTHER_CODE = (
    "it has another version of frozen-features than this process; install the same version on all "
    "machines"
)
_PACKAGES = (
    "dask",
    "distributed",
    "numpy",
    "scipy",
    "scikit-learn",
    "joblib",
    "pillow",
    "opencv-python",
    "openvino",
    "tensorflow",
    "keras",
)
"""The packages that may change a figure, or on which processes must agree to communicate."""


def require_package(client: Any) -> None:
    """Check that all workers can import this package, and mention other versions of libraries.

    Parameters
    ----------
    client : distributed.Client

    Raises
    ------
    ClusterError
        If a worker cannot import it; the message names the worker.
    """
    # A worker without the package cannot even read a task, and Dask takes it for lost.
    found = client.run(importlib.util.find_spec, __name__, on_error="return")
    for address, spec in found.items():
        if spec is None or isinstance(spec, ModuleNotFoundError):
            raise ClusterError(
                f"worker {address}: frozen-features is not installed there, or is too old; "
                "install the same version with its extra [dask] on all machines",
                setting="dask",
            )
        if isinstance(spec, Exception):
            raise spec
    here = versions()
    others = {
        address: [f"{name} {there[name]} instead of {here[name]}" for name in differing]
        for address, there in client.run(versions).items()
        if (differing := [name for name in here if there[name] != here[name]])
    }
    for address, differences in sorted(others.items())[:1]:
        logger.warning(
            "%d of %d workers have other versions of libraries than this process, for example %s: "
            "%s; figures may differ, so install the same versions on all machines",
            len(others),
            len(found),
            address,
            ", ".join(differences),
        )


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that matter."""
    found = {"Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "(not installed)"
    return found


def require_same_code(client: Any, packages: tuple[str, ...]) -> None:
    """Check that all workers have the same source files as this process.

    Parameters
    ----------
    client : distributed.Client
    packages : tuple of str
        The packages of this project that matter.

    Raises
    ------
    ClusterError
        If a worker has other files; the message names it.
    """
    for address, digest in client.run(code_digest, packages).items():
        if digest != code_digest(packages):
            raise ClusterError(f"worker {address}: {OTHER_CODE}")


@functools.cache
def code_digest(packages: tuple[str, ...] = ("toolkit", "cache", "extract")) -> str:
    """Return the SHA-256 of source files, by default of those that determine an embedding."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for path in sorted(file for name in packages for file in (root / name).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
