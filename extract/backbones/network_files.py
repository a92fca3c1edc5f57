"""Networks in files of the user's: ONNX, or OpenVINO's own format.

A file is read and run once by a process that is limited in memory and time, before this process
reads the same bytes. What was found is kept in the cache under the SHA-256 of the file, which is
also the identity of the network.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache import file_records
from extract.backbones import guarded
from extract.backbones.described import DescribedNetwork, check_size, has_channels_first
from extract.backbones.weights import Weights
from extract.errors import EngineError, RecipeError, WeightsError
from toolkit.phases import phase

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_content(path: Path) -> tuple[bytes, bytes]:
    """Read a network file.

    Returns
    -------
    description : bytes
        All of an ONNX file.
    weights : bytes
        What lies beside an OpenVINO file in its ``.bin``; else nothing.

    Raises
    ------
    WeightsError
        If a file is missing or cannot be read.
    """
    files = [path, path.with_suffix(".bin")] if is_openvinos(path) else [path]
    try:
        contents = [file.read_bytes() for file in files]
    except FileNotFoundError as error:
        raise WeightsError(
            f"there is no network file {error.filename}", setting="backbone"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"cannot read {error.filename}: {error.strerror}", setting="backbone"
        ) from error
    return contents[0], b"".join(contents[1:])


def find_weights(
    path: Path, earlier: str, *, cache: Path, size: int, output: str | None
) -> Weights:
    """Return a network file as weights.

    One whose identity is not that of an earlier run is not checked any further.

    Parameters
    ----------
    path : Path
    earlier : str
        The identity of an earlier run.
    cache, size, output
        As for `open_network`.

    Raises
    ------
    ToolkitError
        As `open_network`.
    """
    identity = _sha256(*read_content(path))
    if identity != earlier:
        return Weights(str(path), identity, None, path)
    return open_network(path, cache=cache, size=size, output=output).weights


def read_verified(weights: Weights) -> tuple[bytes, bytes]:
    """Return what `read_content` does, if it is still the content that was identified.

    Raises
    ------
    WeightsError
        If the file has changed, or is gone.
    """
    path = weights.path or Path(weights.source)
    content = read_content(path)
    if _sha256(*content) != weights.identity:
        raise WeightsError(
            f"{path} has changed: expected the SHA-256 {weights.identity}; run the same command "
            "again",
            setting="backbone",
        )
    return content


def _sha256(description: bytes, weights: bytes) -> str:
    digest = hashlib.sha256(description)
    if weights:
        digest.update(hashlib.sha256(weights).digest())
    return digest.hexdigest()


def open_network(
    path: Path, *, cache: Path, size: int | str = "default", output: str | None = None
) -> DescribedNetwork:
    """Read a network file and check that it can be used.

    Parameters
    ----------
    path : Path
    cache : Path
        The cache folder, which keeps what was found.
    size : int or {"default", "native"}, default="default"
        Side of the images in pixels; by default what the file says.
    output : str, default=None
        Name of the output that is the embedding; by default the only one.

    Returns
    -------
    DescribedNetwork

    Raises
    ------
    EngineError
        If OpenVINO is not installed.
    WeightsError
        If the file is missing, damaged or hostile, or no network of images.
    RecipeError
        If its size or output must be chosen, or it has no such output.
    """
    found = path
    with contextlib.suppress(RuntimeError):  # a user that does not exist
        found = path.expanduser()
    files = [found.absolute(), found.absolute().with_suffix(".bin")]
    state = tuple(map(_state, files[: 2 if is_openvinos(path) else 1]))
    return _opened(path, files[0], state, cache, size if isinstance(size, int) else None, output)


def is_openvinos(path: Path) -> bool:
    """Return whether a file has its weights in another one beside it."""
    return path.suffix.lower() == ".xml"


def _state(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


@functools.lru_cache(maxsize=16)
@phase("reading and identifying the weights")
def _opened(
    written: Path, path: Path, _state: Any, cache: Path, size: int | None, output: str | None
) -> DescribedNetwork:
    """Do what `open_network` does, once for a file, a size and an output."""
    check_size(size)
    if output is not None and not output.strip():
        raise RecipeError("the name of the output is empty; leave it out", setting="layer")
    description, weights = read_content(path)
    if not description:
        raise WeightsError(f"{path} is empty; save or export the network again", setting="backbone")
    sha256 = _sha256(description, weights)
    kept = file_records.read_record(_record(cache, sha256, size, output)) or {}
    if kept.get("asked") == f"{size or ''} {output or ''}" and kept.get("network") == sha256:
        found = json.loads(kept["found"])
    else:
        found = _checked(path, description, weights, size, output)
        # A saved model asks for the size that was found here.
        for asked in {size, found.get("size")}:
            file_records.write_record(
                _record(cache, sha256, asked, output),
                network=sha256,
                asked=f"{asked or ''} {output or ''}",
                source=str(path),
                found=json.dumps(found),
            )
    _require_known(path, found)
    shape = tuple(found["shape"])
    return DescribedNetwork(
        str(written),
        path.name,
        sha256,
        found["size"],
        shape,
        channels_first=has_channels_first(shape, found["channels_first"]),
        output=found["output"],
        pooling={2: "none", 3: None, 4: "avg"}[len(shape)],  # what tokens are is not known
        path=path,
    )


def _record(cache: Path, sha256: str, size: int | None, output: str | None) -> Path:
    key = hashlib.sha256(f"{sha256} {size or ''} {output or ''}".encode()).hexdigest()
    return cache / "weights" / f"file-{key[:32]}.json"


def _checked(
    path: Path, description: bytes, weights: bytes, size: int | None, output: str | None
) -> dict[str, Any]:
    """Let another process read and run a network; return what it found."""
    if importlib.util.find_spec("openvino") is None:
        raise EngineError("a network file needs OpenVINO: pip install '.[fast]'")
    return guarded.describe(
        "extract.backbones.network_check",
        [str(len(description)), str(size or ""), output or ""],
        str(path),
        content=description + weights,
    )


def _require_known(path: Path, found: Mapping[str, Any]) -> None:
    """Check that the file has told everything, or the settings have.

    Raises
    ------
    RecipeError
        With what must be chosen.
    """
    if "shape" in found:
        return
    outputs = found["outputs"]
    if len(outputs) > 1:
        known = ", ".join(f"{name} {shape}" for name, shape in outputs.items())
        raise RecipeError(
            f"{path} has several outputs; choose the one that is the embedding: {known}",
            setting="layer",
        )
    raise RecipeError(
        f"{path} takes images of any size; choose the side in pixels that it was trained with",
        setting="size",
    )
