"""Fetch one file over HTTP: resumed where it stopped, checked before it gets its final name.

A download grows in `NAME.part`, beside a small `NAME.part.json` that says which version of the file
the part belongs to. Only a whole, verified file is ever renamed to `NAME`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from cache import disk
from cache.locks import locked
from extract.datasets import pace
from extract.errors import DownloadError
from toolkit.errors import ToolkitError
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import requests

    Answer = Iterator[tuple[requests.Response, bytes]]

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
ATTEMPTS = 4
"""Tries in a row that may fail; one that gains `MIN_GAIN` bytes begins the count anew."""
MIN_GAIN = 16 * 1024
BACKOFF = 0.5
"""Seconds before the second try; doubled before each further one."""
CHUNK = 64 * 1024
MAX_BYTES = 20 * 2**30

_OK, _PARTIAL, _BAD_REQUEST, _BAD_RANGE, _SERVER_ERROR = 200, 206, 400, 416, 500


class UnreachableError(DownloadError):
    """No try got an answer: the name does not resolve, nothing listens, or all stays silent."""


class _Interrupted(Exception):  # noqa: N818 - a turn of events inside this module, not an error
    """One try ended early, and another one may do better."""

    def __init__(self, reason: str, *, answered: bool = True, slow: bool = False) -> None:
        super().__init__(reason)
        self.answered = answered
        self.slow = slow


@dataclass(frozen=True)
class _Version:
    """Which version of which file a `.part` belongs to; `total` in bytes."""

    url: str
    validator: str | None = None
    total: int | None = None

    def is_not(self, begun: _Version) -> bool:
        """Tell whether this is another version than the one begun, whose length may be unknown."""
        return self.validator != begun.validator or begun.total not in {None, self.total}


def fetch(
    url: str,
    destination: Path,
    *,
    verify: Callable[[Path], None] | None = None,
    progress: Progress = silent,
) -> Path:
    """Download `url` to `destination`, unless it is there already.

    Parameters
    ----------
    url : str
        An `http` or `https` address. A redirect may not leave `https`.
    destination : Path
        The file's final name. Its folder is made if need be.
    verify : callable, optional
        Called with the path of the whole file before it gets its final name; raises a
        `ToolkitError` whose message is the reason if it is not the file that was meant.
    progress : Progress
        Told the KiB that have arrived.

    Returns
    -------
    Path
        `destination`.

    Raises
    ------
    UnreachableError
        If no try got an answer from the host.
    DownloadError
        If the file could not be had whole, was refused by `verify`, or cannot be written. What has
        arrived is kept for the next call, unless `verify` refused it or it is over `MAX_BYTES`.

    Notes
    -----
    A part is resumed with `Range` and `If-Range` (RFC 9110, sections 13.1.5 and 14), and only if
    the server had given its version an entity tag or a date. Ctrl-C keeps the part. A server must
    keep the pace of `extract.datasets.pace`, from the head of its answer on.
    """
    _require_web(url)
    part = Path(f"{destination}.part")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with locked(Path(f"{destination}.lock")):
            if not destination.exists():
                _download(url, part, progress)
                _verify(url, part, verify)
                part.replace(destination)
                disk.sync_folder(destination.parent)
                _sidecar(part).unlink(missing_ok=True)
    except ToolkitError:
        raise
    except OSError as error:
        raise DownloadError(
            f"cannot keep {url} as {destination}: {error}; mend that and run the command again"
        ) from error
    return destination


def git_blob_id(path: Path) -> str:
    r"""Return the name that git gives to the bytes of `path`.

    It is the SHA-1 over `b"blob <size>\0"` and the content ("Git Objects" in Pro Git).
    """
    header = b"blob %d\0" % path.stat().st_size
    with path.open("rb") as file:
        return hashlib.file_digest(
            file,
            lambda: hashlib.sha1(header, usedforsecurity=False),
        ).hexdigest()


def _require_web(url: str) -> None:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        fits = False
    if not fits:
        raise DownloadError(f"{url} is not an address to download from: give an http or https URL")


def _download(url: str, part: Path, progress: Progress) -> None:
    """Bring `part` to its full length, over as many tries as that takes."""
    import requests

    answered, failures, farthest = False, 0, _size(part)
    with requests.Session() as session:
        # A zip travels as it is: lengths and ranges then speak of the same bytes that are kept.
        session.headers["Accept-Encoding"] = "identity"
        session.hooks["response"] = [_check_redirect]
        while True:
            try:
                return _try(session, url, part, progress)
            except _Interrupted as stopped:
                reached = _size(part)
                gained = reached - farthest >= MIN_GAIN and not stopped.slow
                failures = 1 if gained else failures + 1
                farthest = max(reached, farthest)
                answered = answered or stopped.answered
                if failures >= ATTEMPTS:
                    raise _given_up(url, str(stopped), answered, reached) from stopped.__cause__
                time.sleep(BACKOFF * 2 ** (failures - 1))


def _given_up(url: str, reason: str, answered: bool, kept: int) -> DownloadError:
    if not answered:
        return UnreachableError(
            f"{urlsplit(url).hostname} could not be reached for {url} ({reason}); "
            "check the network and its proxy settings, then run the command again"
        )
    return DownloadError(
        f"the download of {url} failed {ATTEMPTS} times in a row, last: {reason}; "
        f"{kept} bytes are kept, run the command again to go on"
    )


def _try(session: requests.Session, url: str, part: Path, progress: Progress) -> None:
    """Ask once for what `part` lacks, and append it."""
    version = _read_version(part)
    have = _size(part)
    if have and (version.url != url or version.validator is None):
        _discard(part)
        have = 0
    if have and have == version.total:
        return
    headers = {"Range": f"bytes={have}-", "If-Range": str(version.validator)} if have else {}
    asked = _ask(session, url, headers)
    response = None
    try:
        with closing(pace.paced(asked, lambda arrived: len(arrived[1]))) as answer:
            response = _head(answer, url, have)
            _append(answer, part, _accept(response, url, part, version), progress)
    except pace.TooSlow as error:
        reason = f"less than {pace.MIN_RATE:.0f} bytes a second came for {pace.PATIENCE:.0f} s"
        raise _Interrupted(reason, answered=response is not None, slow=True) from error


def _head(answer: Answer, url: str, have: int) -> requests.Response:
    """Wait for the head of the answer, after all redirects."""
    import requests

    try:
        response, _ = next(answer)
    except requests.ConnectTimeout as error:
        # Each of the host's addresses has had its ten seconds; a dead network is not asked again.
        raise _given_up(url, "it does not answer", answered=False, kept=have) from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _Interrupted(_reason(error), answered=False) from error
    # A redirect to what is no address can fail in requests with more than its own errors.
    except (requests.RequestException, ValueError) as error:
        raise DownloadError(f"cannot download {url}: {error}; check the address") from error
    return response


def _ask(
    session: requests.Session, url: str, headers: dict[str, str]
) -> Generator[tuple[requests.Response, bytes], None, None]:
    """Yield the answer once for its head, and again with every piece of its body."""
    with session.get(
        url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)
    ) as response:
        yield response, b""
        while chunk := response.raw.read1(CHUNK, decode_content=False):
            yield response, chunk


def _accept(response: requests.Response, url: str, part: Path, version: _Version) -> _Version:
    """Judge the head of the answer, make `part` ready, and return which version the body is of."""
    status, have = response.status_code, _size(part)
    if status >= _SERVER_ERROR:
        raise _Interrupted(f"the server answered {status} {response.reason}")
    if status == _BAD_RANGE and have:
        _discard(part)
        raise _Interrupted("the server has no such part of the file")
    if status >= _BAD_REQUEST or status not in {_OK, _PARTIAL}:
        raise DownloadError(
            f"the server answered {status} {response.reason} for {url}; check the address"
        )
    offered = _Version(url, _validator(response), _total(response))
    if (offered.total or 0) > MAX_BYTES:
        raise DownloadError(f"{url} has {offered.total} bytes; at most {MAX_BYTES} are downloaded")
    if status == _PARTIAL and (_start(response) != have or (have and offered.is_not(version))):
        _discard(part)
        raise _Interrupted("the server sent another part than the one that was asked for")
    if status == _OK and have:
        logger.info("%s cannot be resumed or has changed; it is fetched anew", url)
        _discard(part)
    if not _size(part):
        _sidecar(part).write_text(json.dumps(asdict(offered)), encoding="utf-8")
    return offered


def _append(answer: Answer, part: Path, version: _Version, progress: Progress) -> None:
    """Append the answer's body to `part` and make it durable."""
    from urllib3.exceptions import HTTPError

    stage = f"downloading {part.stem} (KiB)"
    size = _size(part)
    with part.open("ab") as file:
        try:
            for _, chunk in answer:
                file.write(chunk)
                size += len(chunk)
                if size > MAX_BYTES:
                    _discard(part)
                    raise DownloadError(f"{version.url} does not end within {MAX_BYTES} bytes")
                progress(stage, size // 1024, max(version.total or 0, size) // 1024)
        except HTTPError as error:
            raise _Interrupted(_reason(error)) from error
        file.flush()
        os.fsync(file.fileno())
    if version.total is not None and size != version.total:
        raise _Interrupted(f"{size} bytes came of the {version.total} that were announced")


def _verify(url: str, part: Path, verify: Callable[[Path], None] | None) -> None:
    if verify is None:
        return
    try:
        verify(part)
    except ToolkitError as error:
        _discard(part)
        raise DownloadError(
            f"{url} is not the file that was expected: {error}; "
            "it was removed, run the command again or take the file from another place"
        ) from error


def _check_redirect(response: requests.Response, *_args: object, **_kwargs: object) -> None:
    """Stop before a redirect that leaves https, or the web, is followed (a hook of requests)."""
    if not response.is_redirect:
        return
    response.close()  # requests would read the body, which may be endless, into memory
    target = response.headers["location"]
    with suppress(ValueError):
        target = urljoin(response.url, target)
    _require_web(target)
    if urlsplit(response.url).scheme == "https" and urlsplit(target).scheme != "https":
        raise DownloadError(
            f"{response.url} redirects to {target}, which is not https; "
            "give the address of a server that stays on https"
        )


def _validator(response: requests.Response) -> str | None:
    """Return what `If-Range` may carry: a strong entity tag, else the date of the last change."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _start(response: requests.Response) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _total(response: requests.Response) -> int | None:
    """Return the length of the whole file in bytes, if the server says it."""
    if response.status_code == _PARTIAL:
        found = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
    else:
        found = re.fullmatch(r"(\d+)", response.headers.get("Content-Length", ""))
    return int(found[1]) if found else None


def _reason(error: Exception) -> str:
    """Return the innermost reason of a connection's failure, without the connection's repr."""
    inner = error.args[0] if error.args else error
    inner = getattr(inner, "reason", inner)
    return str(inner).rpartition("): ")[2] or type(error).__name__


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sidecar(part: Path) -> Path:
    return Path(f"{part}.json")


def _read_version(part: Path) -> _Version:
    """Return what the sidecar says; an unreadable one says nothing, so that all begins anew."""
    try:
        version = _Version(**json.loads(_sidecar(part).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError, RecursionError):
        return _Version("")
    # It becomes a header, where a line break would be refused for ever.
    sound = isinstance(version.validator, str) and re.fullmatch(r"[ -~]+", version.validator)
    return version if sound else _Version("")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _sidecar(part).unlink(missing_ok=True)
