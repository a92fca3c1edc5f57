r"""CSV files that preserve any name and that no spreadsheet interprets as formulas.

The files are UTF-8, with commas, one header line and one line per row. Text is encoded like this:

- a backslash is doubled; line feed, carriage return and tab are `\n`, `\r` and `\t`; any other
  control character is `\x00` to `\x1f` or `\x7f`; a byte of a file name that is not UTF-8 is `\x80`
  to `\xff`; any other lone surrogate is `\ud800` to `\udfff`;
- text that begins with `=`, `+`, `-`, `@` (also in full width), tab, carriage return or an
  apostrophe is preceded by an apostrophe.
"""

from __future__ import annotations

import csv
import re
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_NEEDS_ESCAPE = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(\\|n|r|t|x[0-9a-f]{2}|u[0-9a-f]{4})")
_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONG = {escape[1]: character for character, escape in _SHORT.items()}
# Japanese and Chinese spreadsheets treat the full-width signs like the plain ones.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "'")


def encode_text(text: str) -> str:
    r"""Return `text` as it is written to a CSV cell.

    Examples
    --------
    >>> print(encode_text("=2+2\n"))
    '=2+2\n
    """
    guard = "'" if text.startswith(_FORMULA) else ""
    return guard + _NEEDS_ESCAPE.sub(_escape, text)


def decode_text(cell: str) -> str:
    r"""Return the text that `encode_text` has encoded.

    Examples
    --------
    >>> decode_text(encode_text("'a\\b\udcff")) == "'a\\b\udcff"
    True
    """
    return _ESCAPED.sub(_unescape, cell.removeprefix("'"))


def write_csv(path: Path | None, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table whose cells are encoded already.

    Parameters
    ----------
    path : Path or None
        The file; None for the standard output.
    header : sequence of str
        Names of the columns.
    rows : iterable of sequence of str
        The cells.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    opened = path.open("w", encoding="utf-8", newline="") if path else nullcontext(sys.stdout)
    with opened as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_quarantine(path: Path, items: Iterable[tuple[str, str]]) -> None:
    """Write ``quarantine.csv``: the files that could not be used, and why.

    Parameters
    ----------
    path : Path
        The file.
    items : iterable of (str, str)
        Path and reason of each unusable file.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    write_csv(path, ["path", "reason"], ([encode_text(cell) for cell in item] for item in items))


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}"


def _unescape(match: re.Match[str]) -> str:
    escape = match.group(1)
    if escape in _LONG:
        return _LONG[escape]
    code = int(escape[1:], 16)
    return chr(code + 0xDC00 if escape[0] == "x" and code >= 0x80 else code)
