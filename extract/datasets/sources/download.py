"""Download one file over HTTP: resumable, and verified before it gets its final name.

A download grows in `NAME.part`. Beside it, `NAME.part.json` records which version of the file the
part belongs to. Only a complete, verified file is renamed to `NAME`.
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
from extract.datasets.sources import minimum_rate
from extract.errors import DownloadError
from toolkit.errors import ToolkitError
from toolkit.phases import phase
from toolkit.progress import Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import requests

    Response = requests.Response
    Body = Iterator[tuple[Response, bytes]]

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
ATTEMPTS = 4
"""Attempts in a row that may fail; one that adds `MIN_GAIN` bytes starts the count again."""
MIN_GAIN = 16 * 1024
BACKOFF = 0.5
"""Seconds before the second attempt; doubled before each further one."""
CHUNK = 64 * 1024
MAX_BYTES = 20 * 2**30

_OK, _PARTIAL, _BAD_REQUEST, _BAD_RANGE, _SERVER_ERROR = 200, 206, 400, 416, 500


class UnreachableError(DownloadError):
    """No attempt got a response: unknown host, nothing listens there, or it stays silent."""


class _AttemptError(Exception):
    """One attempt failed, and another one may succeed.

    `responded` tells whether the server sent the head of a response, `slow` whether the attempt
    ended because the server was too slow.
    """

    def __init__(self, reason: str, *, responded: bool = True, slow: bool = False) -> None:
        super().__init__(reason)
        self.responded = responded
        self.slow = slow


@dataclass(frozen=True)
class _Version:
    """Which version of which file a `.part` belongs to; `total` in bytes."""

    url: str
    validator: str | None = None
    total: int | None = None

    def differs_from(self, part: _Version) -> bool:
        """Tell whether this is another version than that of a part, whose length may be unknown."""
        return self.validator != part.validator or part.total not in {None, self.total}


@phase("downloading")
def fetch(
    url: str,
    destination: Path,
    *,
    verify: Callable[[Path], None] | None = None,
    progress: Progress = silent,
) -> Path:
    """Download `url` to `destination`, unless that exists already.

    Parameters
    ----------
    url : str
        An `http` or `https` address. A redirect may not leave `https`.
    destination : Path
        The file's final name. Its folder is created if need be.
    verify : callable, default=None
        Is called with the path of the complete file before it gets its final name; raises a
        `ToolkitError` with the reason if it is not the expected file.
    progress : Progress, default=silent
        Is called with the KiB that have arrived.

    Returns
    -------
    Path
        `destination`.

    Raises
    ------
    UnreachableError
        If no attempt got a response from the host.
    DownloadError
        If the file cannot be downloaded completely, `verify` refuses it, or it cannot be written.
        What has arrived is kept for the next call, unless `verify` refused it or it is larger than
        `MAX_BYTES`.

    Notes
    -----
    A part is resumed with `Range` and `If-Range` (RFC 9110, sections 13.1.5 and 14), and only if
    the server gave an entity tag or a date with it. Ctrl-C keeps the part. A server must deliver
    the rate of `extract.datasets.sources.minimum_rate`, including the head of its response.
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
            f"cannot save {url} as {destination}: {error}; solve that and run the same command "
            "again"
        ) from error
    return destination


def git_blob_id(path: Path) -> str:
    r"""Return the id that git gives to the content of a file.

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
        raise DownloadError(f"cannot download from {url}: expected an http or https URL")


def _download(url: str, part: Path, progress: Progress) -> None:
    """Bring `part` to its full length, in as many attempts as that takes."""
    import requests

    responded, failures, largest = False, 0, _size(part)
    with requests.Session() as session:
        # Without compression, lengths and ranges refer to the bytes that are stored.
        session.headers["Accept-Encoding"] = "identity"
        session.hooks["response"] = [_check_redirect]
        while True:
            try:
                return _attempt(session, url, part, progress)
            except _AttemptError as error:
                size = _size(part)
                has_gained = size - largest >= MIN_GAIN and not error.slow
                failures = 1 if has_gained else failures + 1
                largest = max(size, largest)
                responded = responded or error.responded
                if failures >= ATTEMPTS:
                    raise _failure(url, str(error), responded, size) from error.__cause__
                time.sleep(BACKOFF * 2 ** (failures - 1))


def _failure(url: str, reason: str, responded: bool, kept: int) -> DownloadError:
    if not responded:
        return UnreachableError(
            f"{urlsplit(url).hostname} could not be reached for {url} ({reason}); "
            "check the network and its proxy settings, then run the same command again"
        )
    return DownloadError(
        f"the download of {url} failed {ATTEMPTS} times in a row, the last time because {reason}; "
        f"{kept:,} bytes are kept: run the same command again to continue"
    )


def _attempt(session: requests.Session, url: str, part: Path, progress: Progress) -> None:
    """Send one request for the missing bytes of `part`, and append them."""
    version = _read_version(part)
    have = _size(part)
    if have and (version.url != url or version.validator is None):
        _discard(part)
        have = 0
    if have and have == version.total:
        return
    headers = {"Range": f"bytes={have}-", "If-Range": str(version.validator)} if have else {}
    pieces = _get(session, url, headers)
    response = None
    try:
        with closing(minimum_rate.at_minimum_rate(pieces, lambda piece: len(piece[1]))) as body:
            response = _head(body, url, have)
            _append(body, part, _accept(response, url, part, version), progress)
    except minimum_rate.TooSlowError as error:
        rate, window = minimum_rate.MIN_RATE, minimum_rate.WINDOW
        reason = f"less than {rate:,.0f} bytes per second arrived in {window:.0f} s"
        raise _AttemptError(reason, responded=response is not None, slow=True) from error


def _head(body: Body, url: str, have: int) -> Response:
    """Wait for the head of the response, after all redirects."""
    import requests

    try:
        response, _ = next(body)
    except requests.ConnectTimeout as error:
        # Each address of the host has had its ten seconds: the network is dead, so do not retry.
        raise _failure(url, "it does not respond", responded=False, kept=have) from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _AttemptError(_reason(error), responded=False) from error
    # A redirect to an invalid address can raise more than the errors of requests.
    except (requests.RequestException, ValueError) as error:
        raise DownloadError(f"cannot download {url}: {error}; check the address") from error
    return response


def _get(
    session: requests.Session, url: str, headers: dict[str, str]
) -> Generator[tuple[Response, bytes], None, None]:
    """Yield the response once after its head, and again with every piece of its body."""
    with session.get(
        url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)
    ) as response:
        yield response, b""
        while chunk := response.raw.read1(CHUNK, decode_content=False):
            yield response, chunk


def _accept(response: Response, url: str, part: Path, version: _Version) -> _Version:
    """Check the head of the response, prepare `part`, and return the version of the body."""
    status, have = response.status_code, _size(part)
    if status >= _SERVER_ERROR:
        raise _AttemptError(f"the server responded with {status} {response.reason}")
    if status == _BAD_RANGE and have:
        _discard(part)
        raise _AttemptError("the server has no such part of the file")
    if status >= _BAD_REQUEST or status not in {_OK, _PARTIAL}:
        raise DownloadError(
            f"the server responded with {status} {response.reason} for {url}; check the address"
        )
    offered = _Version(url, _validator(response), _total(response))
    if (offered.total or 0) > MAX_BYTES:
        raise DownloadError(
            f"{url} has {offered.total:,} bytes; at most {MAX_BYTES:,} are downloaded"
        )
    if status == _PARTIAL and (
        _start(response) != have or (have and offered.differs_from(version))
    ):
        _discard(part)
        raise _AttemptError("the server sent another part than the requested one")
    if status == _OK and have:
        logger.info("%s cannot be resumed or has changed; downloading it from the start", url)
        _discard(part)
    if not _size(part):
        _sidecar(part).write_text(json.dumps(asdict(offered)), encoding="utf-8")
    return offered


def _append(body: Body, part: Path, version: _Version, progress: Progress) -> None:
    """Append the body of a response to `part` and fsync it."""
    from urllib3.exceptions import HTTPError

    stage = f"downloading {part.stem} (KiB)"
    size = _size(part)
    with part.open("ab") as file:
        try:
            for _, chunk in body:
                file.write(chunk)
                size += len(chunk)
                if size > MAX_BYTES:
                    _discard(part)
                    raise DownloadError(f"{version.url} has more than {MAX_BYTES:,} bytes")
                progress(stage, size // 1024, max(version.total or 0, size) // 1024)
        except HTTPError as error:
            raise _AttemptError(_reason(error)) from error
        file.flush()
        os.fsync(file.fileno())
    if version.total is not None and size != version.total:
        raise _AttemptError(f"only {size:,} of {version.total:,} bytes arrived")


def _verify(url: str, part: Path, verify: Callable[[Path], None] | None) -> None:
    if verify is None:
        return
    try:
        verify(part)
    except ToolkitError as error:
        _discard(part)
        raise DownloadError(
            f"{url} is not the expected file: {error}; it was deleted: run the same command again, "
            "or get the file from another place"
        ) from error


def _check_redirect(response: Response, *_args: object, **_kwargs: object) -> None:
    """Refuse a redirect that leaves https or the web before it is followed (a requests hook)."""
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
            "use the address of a server that stays on https"
        )


def _validator(response: Response) -> str | None:
    """Return a value for `If-Range`: a strong entity tag, else the date of the last change."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _start(response: Response) -> int | None:
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _total(response: Response) -> int | None:
    """Return the length of the whole file in bytes, if the server states it."""
    if response.status_code == _PARTIAL:
        match = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
    else:
        match = re.fullmatch(r"(\d+)", response.headers.get("Content-Length", ""))
    return int(match[1]) if match else None


def _reason(error: Exception) -> str:
    """Return the innermost reason why a connection failed, without the repr of the connection."""
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
    """Return the version in the sidecar; an unreadable sidecar makes the download start again."""
    try:
        version = _Version(**json.loads(_sidecar(part).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError, RecursionError):
        return _Version("")
    # It becomes a header, where a line break would be refused in every attempt.
    is_valid = isinstance(version.validator, str) and re.fullmatch(r"[ -~]+", version.validator)
    return version if is_valid else _Version("")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _sidecar(part).unlink(missing_ok=True)
