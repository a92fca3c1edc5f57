r"""CSV files that any name survives and that no spreadsheet takes for formulas.

The files are UTF-8, with commas, one header line and one line per row. Text in them is written so:

- a backslash is doubled; line feed, carriage return and tab are `\n`, `\r` and `\t`; any other
  control character is `\x00` to `\x1f` or `\x7f`; a byte of a file name that is not UTF-8 is `\x80`
  to `\xff`; any other lone surrogate is `\ud800` to `\udfff`;
- a text that begins with `=`, `+`, `-`, `@` (full width too), tab, carriage return or an
  apostrophe gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_NEEDS_ESCAPE = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(\\|n|r|t|x[0-9a-f]{2}|u[0-9a-f]{4})")
_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_LONG = {escape[1]: character for character, escape in _SHORT.items()}
# With the full-width signs, which Japanese and Chinese spreadsheets take for the plain ones.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "'")


def encode_text(text: str) -> str:
    r"""Return `text` as it stands in a CSV cell.

    >>> print(encode_text("=2+2\n"))
    '=2+2\n
    """
    guard = "'" if text.startswith(_FORMULA) else ""
    return guard + _NEEDS_ESCAPE.sub(_escape, text)


def decode_text(cell: str) -> str:
    r"""Return the text that `encode_text` wrote.

    >>> decode_text(encode_text("'a\\b\udcff")) == "'a\\b\udcff"
    True
    """
    return _ESCAPED.sub(_unescape, cell.removeprefix("'"))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table whose cells have been encoded.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_quarantine(path: Path, items: Iterable[tuple[str, str]]) -> None:
    """Write ``quarantine.csv``: the files `(path, reason)` that were set aside.

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
