"""Which encoding a text has that says nothing about it, as spreadsheets and zip programs write it.

The rules are for short texts, such as names of files and classes, where statistics say little. They
only choose between encodings that programs write by default in Western Europe, Japan and Russia.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEGACY = (
    "cp1252", "cp932", "cp1251", "gb18030", "cp949", "big5", "cp1250", "cp1253", "cp1254", "cp850",
    "mac_roman",
)  # fmt: skip
_WORDS_LOOKED_FOR = 1000

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_WESTERN_SIGN = re.compile(
    "(?<=[A-Za-z])\u2019(?=[A-Za-z])"  # an apostrophe
    "|[\u201c\u201e\u2018](?=\\w)|(?<=[\\w.!?])[\u201d\u2019\u201c]"  # quotation marks
    "|(?<=[\\s\\d])[\u2013\u2014](?=[\\s\\d])"  # dashes
    "|(?<=\\d)[\u20ac\xa3\xb0\xb2\xb3\xbd\xb5]|[\xab\xbb\xa0\xa7\xae\xa9]"
)
_JAPANESE = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uff01-\uff60]")
_LAST_LEAD_OF_COMMON_KANJI = 0x97


def decode(data: bytes, known: Collection[str] = ()) -> tuple[str, str] | None:
    r"""Decode a text: by its mark, as UTF-8, by words that it should contain, or by its letters.

    Parameters
    ----------
    data : bytes
        The text.
    known : collection of str, default=()
        Words of which it should contain some.

    Returns
    -------
    tuple of (str, str) or None
        The text without its mark, and Python's name of the encoding: CP1252 where no rule applies.
        None if it may be Chinese or Korean, or does not fit its mark.

    Examples
    --------
    >>> decode("chat m\xe2le".encode("cp1252"))
    ('chat m\xe2le', 'cp1252')
    >>> decode("\u72ac,\u732b".encode("cp932"))[1]
    'cp932'
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = _decoded(data, encoding)
            return None if text is None else (text.removeprefix("\ufeff"), encoding)
    text = _decoded(data, "utf-8")
    if text is not None:
        return text, "utf-8"
    chosen = _by_words(data, known) or guess(data, default=None if _in_pairs(data) else "cp1252")
    text = _decoded(data, chosen) if chosen else None
    return (text, chosen) if text is not None and chosen else None


def guess(
    data: bytes,
    western: Sequence[str] = ("cp1252",),
    cyrillic: Sequence[str] = ("cp1251",),
    default: str | None = None,
) -> str | None:
    """Choose the encoding of bytes that are not UTF-8 by the letters that they would be.

    Parameters
    ----------
    data : bytes
        A text, or several that were written together.
    western, cyrillic : sequence of str
        Encodings of one byte for each letter; the first that fits is taken.
    default : str, default=None
        Is returned if none fits.

    Returns
    -------
    str or None
        Python's name of the encoding.
    """
    texts = [(name, _decoded(data, name)) for name in western]
    fitting = [name for name, text in texts if text is not None and _is_western(text)]
    if fitting:
        return fitting[0]
    if _is_japanese(data):
        return "cp932"
    for name in cyrillic:
        text = _decoded(data, name)
        if text is not None and _is_cyrillic(text):
            return name
    return default


def _by_words(data: bytes, known: Collection[str]) -> str | None:
    """Return the encoding in which the text contains the most known words, if it contains any."""
    words = [word for word in dict.fromkeys(known) if not word.isascii()][:_WORDS_LOOKED_FOR]
    found = {}
    for name in _LEGACY if words else ():
        text = _decoded(data, name)
        found[name] = sum(len(word) for word in words if text and word in text)
    best = max(found, key=lambda name: found[name], default=None)
    return best if best and found[best] else None


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _in_pairs(data: bytes) -> bool:
    """Tell whether all bytes beyond ASCII are pairs, as in the encodings of China and Korea."""
    runs = re.findall(rb"[\x80-\xff]+", data)
    return all(len(run) % 2 == 0 and min(run) > 0xA0 for run in runs)


def _is_western(text: str) -> bool:
    """Tell whether all characters beyond ASCII are Latin letters in words, or usual signs."""
    text = _WESTERN_SIGN.sub(" ", text)
    for run in re.finditer(r"[^\x00-\x7f]+", text):
        beside = text[max(run.start() - 1, 0) : run.start()] + text[run.end() : run.end() + 1]
        is_word = any(character.isalpha() for character in beside)
        if not is_word or len(run[0]) > 2 or not all(map(_is_latin, run[0])):
            return False
    return True


def _is_latin(character: str) -> bool:
    return character.isalpha() and unicodedata.name(character, "").startswith("LATIN")


def _is_japanese(data: bytes) -> bool:
    text = _decoded(data, "cp932")
    signs = _NOT_ASCII.findall(text or "")
    common = [sign for sign in signs if sign.encode("cp932")[0] <= _LAST_LEAD_OF_COMMON_KANJI]
    return 0 < len(signs) <= 2 * len(common) and all(map(_JAPANESE.match, signs))


def _is_cyrillic(text: str) -> bool:
    """Tell whether all characters beyond ASCII are Cyrillic letters, in words without others."""
    signs = set(_NOT_ASCII.findall(text)) - set("\xab\xbb\u2014\u2116\xa0")
    return (
        bool(signs)
        and all(unicodedata.name(sign, "").startswith("CYRILLIC") for sign in signs)
        and not re.search("[A-Za-z][\u0400-\u04ff]|[\u0400-\u04ff][A-Za-z]", text)
    )
