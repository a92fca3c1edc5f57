"""What command lines parse and print."""

import argparse
import io
import sys

import pytest

from toolkit.console import argument_parser, run, size
from toolkit.errors import ToolkitError


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("4GB", 4_000_000_000),
        ("500mb", 500_000_000),
        ("2GiB", 2**31),
        ("1.5 kB", 1500),
        ("3KiB", 3072),
        ("12B", 12),
        ("1000000", 1_000_000),
        ("0", 0),
    ],
)
def test_a_size_is_a_number_with_a_unit_or_without(text: str, n_bytes: int) -> None:
    """Powers of ten and of two, in upper or lower case; without a unit it is bytes."""
    assert size(text) == n_bytes


@pytest.mark.parametrize("text", ["", "GB", "4 parrots", "-1GB", "nan", "infGB", "4GBB", "1,5GB"])
def test_a_text_that_is_no_size_is_named(text: str) -> None:
    """The message has an example and the given text."""
    with pytest.raises(argparse.ArgumentTypeError, match="expected a size like 500MB") as raised:
        size(text)
    assert repr(text) in str(raised.value)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("out", "error: the folder is not empty (--out)\n"),
        ("elsewhere", "error: the folder is not empty\n"),
        (None, "error: the folder is not empty\n"),
    ],
)
def test_the_option_that_helps_follows_the_message(
    capsys: pytest.CaptureFixture[str], setting: str | None, expected: str
) -> None:
    """The library names the setting; the command line adds its option, if it has one."""

    def command(args: argparse.Namespace) -> None:
        raise ToolkitError("the folder is not empty", setting=setting)

    parser = argument_parser("prog", "does something")
    parser.add_argument("-o", "--out")
    assert run(command, parser.parse_args([])) == 2
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_characters_that_the_console_lacks_are_escaped(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """A class called in Japanese is no reason for a traceback."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    parser = argument_parser("prog", "does something")
    assert run(lambda _: print("8 images of \u72ac"), parser.parse_args([])) == 0
    assert written.getvalue() == b"8 images of \\u72ac\n"


def test_a_full_disk_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Libraries that write temporary files raise the system's own error."""

    def command(args: argparse.Namespace) -> None:
        with open("/dev/full", "w") as file:  # noqa: PTH123 - a device
            file.write("x")

    assert run(command, argument_parser("prog", "does something").parse_args([])) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "No space left on device; make room there, or set TMPDIR" in line


def test_ctrl_c_is_one_sentence_whatever_a_library_makes_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A module in C++ fails to import, and its importer takes it for not installed."""

    def command(args: argparse.Namespace) -> None:
        try:
            try:
                raise KeyboardInterrupt("stopped: all is kept")
            except KeyboardInterrupt as stopped:
                raise ImportError("initialization failed") from stopped
        except ImportError as error:
            raise ToolkitError("a package is not installed") from error

    assert run(command, argparse.Namespace()) == 130
    assert capsys.readouterr().err == "stopped: all is kept\n"


def test_a_bug_is_not_caught() -> None:
    """Python prints its traceback."""

    def command(args: argparse.Namespace) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(command, argparse.Namespace())
