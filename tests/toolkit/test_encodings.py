"""Encodings of short texts that say nothing about it."""

from __future__ import annotations

import pytest

from toolkit.encodings import decode, guess


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("chat m\xe2le", "cp1252"),
        ("M\xfcller, Stra\xdfe, Gr\xfc\xdfe, \xc4pfel", "cp1252"),
        ("it\u2019s a dog\u2019s life \u2013 \u201cso\u201d", "cp1252"),
        ("c\u0153ur na\xefvet\xe9 5\xb0", "cp1252"),
        ("\u0160koda", "cp1252"),
        ("\u72ac,\u732b", "cp932"),
        ("\u732b", "cp932"),
        ("\u30ab\u30bf\u30ab\u30ca,\u3072\u3089\u304c\u306a", "cp932"),
        ("\u6ab8\u6aac\u306e\u6728", "cp932"),
        ("\u041a\u043e\u0448\u043a\u0430,\u0421\u043e\u0431\u0430\u043a\u0430", "cp1251"),
    ],
)
def test_what_spreadsheets_write_is_recognised(text: str, encoding: str) -> None:
    table = f"path,label\na/1.jpg,{text}\n"
    assert decode(table.encode(encoding)) == (table, encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_mark_decides_and_is_removed(encoding: str) -> None:
    assert decode("\u72ac".encode(encoding)) == ("\u72ac", encoding)


def test_known_words_decide() -> None:
    """Neither the letters of Chinese nor of Polish say which encoding it is."""
    assert decode("\u72d7".encode("gb18030"), ["cat", "\u72d7"]) == ("\u72d7", "gb18030")
    polish = "\u017c\xf3\u0142w"
    assert decode(polish.encode("cp1250"), [polish]) == (polish, "cp1250")


def test_the_rest_is_western() -> None:
    text = "\xe4\xf6\xfc oder gr\xf6\xdfer"
    assert decode(text.encode("cp1252")) == (text, "cp1252")


def test_what_may_be_chinese_or_korean_is_left_open() -> None:
    assert decode("\u72d7\u732b".encode("gb18030")) is None
    assert decode(b"\xff\xfe\x00") is None


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("Caf\xe9", "cp437"), ("Caf\xe9", "cp1252"), ("K\xe4se", "cp437"), ("K\xe4se", "cp1252")],
)
def test_names_of_zip_files_may_be_of_dos_or_of_windows(name: str, encoding: str) -> None:
    assert guess(name.encode(encoding), ("cp437", "cp1252")) == encoding
