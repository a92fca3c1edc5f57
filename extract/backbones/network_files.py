"""Networks in files of the user's: ONNX, or OpenVINO's own format.

A file is read and run once by a process that is limited in memory and time, before this process
reads the same bytes. What was found is kept in the cache under the SHA-256 of the file, which is
also the identity of the network.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import math
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cache import file_records
from extract.backbones.catalog import MAX_SIZE
from extract.backbones.scaling import EXAMPLE, canonical
from extract.backbones.weights import Weights
from extract.errors import EngineError, RecipeError, WeightsError
from toolkit.phases import phase

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = 600.0
_ROOT = str(Path(__file__).parents[2])
_COMMAND = (
    "import sys; sys.path[:] = sys.argv[4:]; "
    "from extract.backbones.network_check import main; main(sys.argv[1:4])"
)


@dataclass(frozen=True)
class NetworkFile:
    """A network in a file, for images of one size.

    Parameters
    ----------
    path : Path
        The file, as the user wrote it.
    sha256 : str
        Of its content; with OpenVINO's format, of the content of both files.
    channels_first : bool
        Whether it takes ``(n, 3, size, size)``, and not ``(n, size, size, 3)``.
    size : int
        Side of the images in pixels.
    output : str
        Name of the output that is the embedding.
    shape : tuple of int
        Of the output for one image: ``(1, features)``, ``(1, tokens, features)``, or four numbers
        in the order of the input.
    """

    path: Path
    sha256: str
    channels_first: bool
    size: int
    output: str
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """The name in recipes and reports."""
        return self.path.name

    @property
    def pooling(self) -> str | None:
        """How the output becomes an embedding by default; None for tokens, where it is a choice."""
        return {2: "none", 3: None, 4: "avg"}[len(self.shape)]

    @property
    def weights(self) -> Weights:
        """The file as weights."""
        return Weights(str(self.path), self.sha256, None, self.path)

    def chosen_pooling(self, pooling: str) -> str:
        """Return the pooling that a setting stands for.

        Raises
        ------
        RecipeError
            If the output cannot be pooled so, or it is not known how it should be.
        """
        possible = {2: ("none",), 3: ("cls", "avg", "none"), 4: ("avg", "max", "none")}
        choices = possible[len(self.shape)]
        chosen = (self.pooling or pooling) if pooling == "auto" else pooling
        if chosen == "auto":
            raise RecipeError(
                f"the output {self.output} of {self.path} is {self.shape[1]} tokens of "
                f"{self.shape[2]} numbers; choose how they become an embedding: cls, the first "
                "one, or avg, the mean of those of the image's patches",
                setting="pooling",
            )
        if chosen not in choices:
            raise RecipeError(
                f"the output {self.output} of {self.path} has the shape {self.shape} for one "
                f"image; choose one of: {', '.join(choices)}",
                setting="pooling",
            )
        return chosen

    def chosen_preprocessing(self, preprocess: str) -> str:
        """Return the preprocessing that a setting stands for.

        Raises
        ------
        RecipeError
            If it is not given, because a file does not say how its pixels are scaled.
        """
        if preprocess == "auto":
            raise RecipeError(
                f"{self.path} does not say how the pixels are scaled that it was trained with; "
                "choose imagenet (ImageNet's mean and standard deviation, as timm and torchvision "
                f"mostly do), clip, tf (from -1 to 1), none (from 0 to 255), or as in {EXAMPLE!r}",
                setting="preprocess",
            )
        return canonical(preprocess)

    def n_features(self, pooling: str) -> int:
        """Return the numbers in an embedding, with a pooling from `chosen_pooling`."""
        if pooling == "none" or len(self.shape) == 2:
            return math.prod(self.shape)
        return self.shape[1 if len(self.shape) == 4 and self.channels_first else -1]


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
    files = [path, path.with_suffix(".bin")] if path.suffix.lower() == ".xml" else [path]
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


def find_weights(path: Path) -> Weights:
    """Return a network file as weights, without checking what it is.

    Raises
    ------
    WeightsError
        If it is missing or cannot be read.
    """
    return Weights(str(path), _sha256(*read_content(path)), None, path)


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
) -> NetworkFile:
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
    NetworkFile

    Raises
    ------
    EngineError
        If OpenVINO is not installed.
    WeightsError
        If the file is missing, damaged or hostile, or no network of images.
    RecipeError
        If its size or output must be chosen, or it has no such output.
    """
    path = path.expanduser()
    try:
        state = path.stat()
    except OSError:
        state = None
    key = None if state is None else (state.st_mtime_ns, state.st_size)
    return _opened(path, key, cache, size if isinstance(size, int) else None, output)


@functools.lru_cache(maxsize=16)
@phase("reading and identifying the weights")
def _opened(
    path: Path, _state: Any, cache: Path, size: int | None, output: str | None
) -> NetworkFile:
    """Do what `open_network` does, once for a file, a size and an output."""
    if size is not None and not 1 <= size <= MAX_SIZE:
        raise RecipeError(
            f"a network accepts images of 1 to {MAX_SIZE} pixels a side, found {size}; choose "
            "another size",
            setting="size",
        )
    if output is not None and not output.strip():
        raise RecipeError("the name of the output is empty; leave it out", setting="layer")
    description, weights = read_content(path)
    if not description:
        raise WeightsError(f"{path} is empty; save or export the network again", setting="backbone")
    sha256 = _sha256(description, weights)
    asked = f"{size or ''} {output or ''}"
    key = hashlib.sha256(f"{sha256} {asked}".encode()).hexdigest()
    record = cache / "weights" / f"file-{key[:32]}.json"
    kept = file_records.read_record(record) or {}
    if kept.get("asked") == asked and kept.get("network") == sha256:
        found = json.loads(kept["found"])
    else:
        found = _checked(path, description, weights, size, output)
        file_records.write_record(record, network=sha256, asked=asked, found=json.dumps(found))
    _require_known(path, found)
    return NetworkFile(
        path,
        sha256,
        found["channels_first"],
        found["size"],
        found["output"],
        tuple(found["shape"]),
    )


def _checked(
    path: Path, description: bytes, weights: bytes, size: int | None, output: str | None
) -> dict[str, Any]:
    """Let another process read and run a network; return what it found."""
    if importlib.util.find_spec("openvino") is None:
        raise EngineError("a network file needs OpenVINO: pip install '.[fast]'")
    modules = [str(Path(folder).resolve()) for folder in sys.path]
    arguments = [str(len(description)), str(size or ""), output or "", _ROOT, *modules]
    try:
        # OpenVINO looks for weights outside the file below the current folder: one that is empty.
        with tempfile.TemporaryDirectory() as empty:
            done = subprocess.run(  # noqa: S603 - this interpreter, with the program above
                [sys.executable, "-c", _COMMAND, *arguments],
                cwd=empty,
                input=description + weights,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        found: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise WeightsError(
            f"{path} cannot be used: reading and running it once took more than {_SECONDS:.0f} "
            "seconds",
            setting="backbone",
        ) from None
    except ValueError:
        raise WeightsError(
            f"{path} cannot be used: the process that read and ran it once ended with status "
            f"{done.returncode}, perhaps because it needs more memory than a network of its size "
            "should",
            setting="backbone",
        ) from None
    if "refused" in found:
        raise WeightsError(f"{path} cannot be used: {found['refused']}", setting="backbone")
    return found


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
