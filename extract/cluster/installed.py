"""What the machines of a cluster have installed: all need the same."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from extract.errors import ClusterError
from toolkit.libraries import versions
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

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
        If a worker cannot import it, or has an older version; the message names the worker.
    """
    # A worker without the package cannot even read a task, and Dask takes it for lost.
    for address, spec in _answers(client, importlib.util.find_spec, __name__).items():
        if spec is None:
            raise _not_installed(address)
    here = versions(_PACKAGES)
    others = {
        address: [f"{name} {there[name]} instead of {here[name]}" for name in differing]
        for address, there in sorted(_answers(client, versions, _PACKAGES).items())
        if (differing := [name for name in here if there[name] != here[name]])
    }
    if others:
        address, differences = next(iter(others.items()))
        logger.warning(
            "other versions of libraries on %s, for example on %s: %s; figures may differ, so "
            "install the same versions on all machines",
            plural(len(others), "worker"),
            address,
            ", ".join(differences),
        )


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
    for address, digest in _answers(client, code_digest, packages).items():
        if digest != code_digest(packages):
            raise ClusterError(f"worker {address}: {OTHER_CODE}")


def _answers(client: Any, function: Callable[..., T], *arguments: object) -> dict[str, T]:
    """Return what a function returns on each worker; workers that are lost do not answer."""
    answers = client.run(function, *arguments, on_error="return")
    present = {at: answer for at, answer in answers.items() if not isinstance(answer, OSError)}
    for address, answer in present.items():
        if isinstance(answer, Exception):
            raise _not_installed(address) from answer
    return present


def _not_installed(address: str) -> ClusterError:
    return ClusterError(
        f"worker {address}: frozen-features is not installed there, or is too old; install the "
        "same version with its extra [dask] on all machines",
        setting="dask",
    )


@functools.cache
def code_digest(packages: tuple[str, ...] = ("toolkit", "cache", "extract")) -> str:
    """Return the SHA-256 of source files, by default of those that determine an embedding."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for path in sorted(file for name in packages for file in (root / name).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
