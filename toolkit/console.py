"""What all command lines of the toolkit share: parsers, exit statuses, errors and notes.

The library never prints. It raises `ToolkitError` and logs notes with the logger of its module;
this module shows them to the user.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import logging
import math
import os
import shlex
import sys
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

from toolkit import ctrl_c
from toolkit.entry import EXIT_INTERRUPTED
from toolkit.errors import ToolkitError, did_you_mean
from toolkit.phases import phase_table, spent, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


PACKAGES = ("toolkit", "cache", "extract", "reports", "classify")
_OPTIONS = "_options"
EXIT_USER = 2
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_TEMPORARY_FOLDER = "No usable temporary directory"


class _Parser(argparse.ArgumentParser):
    """A parser that reports errors in one line and stores the names of its options for `run`."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        parsed, unknown = super().parse_known_args(args, namespace)
        options = {
            action.dest: action.option_strings[-1]
            for action in self._actions
            if action.option_strings
        }
        setattr(parsed, _OPTIONS, getattr(parsed, _OPTIONS, {}) | options)
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        _, _, unknown = message.partition("unrecognized arguments: ")
        word = unknown.split(" ")[0]
        if word and not word.startswith("-"):
            hint = ": put the name of an option before it, or a comma between several values"
        else:
            hint = did_you_mean(word.partition("=")[0], self._option_string_actions)
        _say(f"error: {message}{hint}; {self.prog} --help lists the options")
        raise SystemExit(EXIT_USER)


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Show the default of an option, unless it is None or False."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False:
            return action.help
        return super()._get_help_string(action)


def argument_parser(prog: str, description: str) -> argparse.ArgumentParser:
    """Return a parser in the style of the toolkit: with defaults, without abbreviations."""
    return _Parser(
        prog=prog,
        description=description,
        allow_abbrev=False,
        formatter_class=_HelpFormatter,
    )


def run(
    command: Callable[[argparse.Namespace], None],
    args: argparse.Namespace,
    started: float | None = None,
) -> int:
    """Run one command and return its exit status.

    Parameters
    ----------
    command : callable
        Is called with `args`; raises a `ToolkitError` for problems that the user can solve.
    args : argparse.Namespace
        If it has a true attribute `quiet`, notes are not shown. If it has a true attribute
        `profile`, and no true one `json`, a table of the phases follows what the command prints.
    started : float, optional
        When the command started; see `toolkit.phases.Clock`.

    Returns
    -------
    int
        0, or 2 after a `ToolkitError` or on a full disk, or 130 after Ctrl-C. Any other error is a
        bug; it is not caught, so that Python prints a traceback and exits with status 1.
    """
    _escape_unknown_characters()
    _show_notes(quiet=bool(getattr(args, "quiet", False)))
    try:
        with timed(started):
            command(args)
            if getattr(args, "profile", False) and not args.json:
                print(f"\n{phase_table(spent())}")  # noqa: T201 - the console
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if (status := _explained(error, args)) is None:
            raise
        return status
    return 0


def _explained(error: BaseException, args: argparse.Namespace) -> int | None:
    """Say what has ended a command, and return its exit status; None if the error is a bug."""
    if (stopped := ctrl_c.behind(error)) is not None:
        _say(str(stopped) or "stopped")
        return EXIT_INTERRUPTED
    if isinstance(error, ToolkitError):
        _say(f"error: {with_option(error, args)}")
        return EXIT_USER
    if isinstance(error, BrokenPipeError):
        # The reader (head, less) has closed the pipe, which is no error. Python would report one.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, OSError) and (error.errno in _FULL or _NO_TEMPORARY_FOLDER in str(error)):
        _say(
            f"error: {error}; make room there, or set TMPDIR to a folder that has some, and run "
            "the same command again"
        )
        return EXIT_USER
    return None


def _escape_unknown_characters() -> None:
    r"""Let standard output write as `\u72ac` what its encoding lacks, as standard error does."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # not what a test or a notebook has put there
        sys.stdout.reconfigure(errors="backslashreplace")


class _Once(logging.Filter):
    """Show each note once: several classifiers may log the same note about the data."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        note = record.getMessage()
        is_new = note not in self._shown
        self._shown.add(note)
        return is_new


class _NoteHandler(logging.Handler):
    """Print notes on standard error; while it shows a progress bar, above the bar."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)  # noqa: T201 - the console


def _show_notes(quiet: bool) -> None:
    # joblib says so at its import if /dev/shm is full; no command lets it start processes.
    warnings.filterwarnings("ignore", message=".*joblib will operate in serial mode")
    handler = _NoteHandler()
    handler.addFilter(_Once())
    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(logging.ERROR if quiet else logging.INFO)


def _say(message: str) -> None:
    print(" ".join(message.split()), file=sys.stderr)  # noqa: T201 - the console


def use_option(setting: str, value: str) -> str:
    """Return how an option is given a value, within a sentence, to paste into a shell.

    Examples
    --------
    >>> use_option("group_by", "folder"), use_option("group_column", "patient id")
    ('use --group-by folder', "use --group-column 'patient id'")
    """
    return f"use --{setting.replace('_', '-')} {shlex.quote(value)}"


def with_option(error: ToolkitError, args: argparse.Namespace) -> str:
    """Return the text of an error, and the option that helps."""
    option = getattr(args, _OPTIONS, {}).get(error.setting)
    return f"{error} ({option})" if option else str(error)


def size(text: str) -> int:
    """Read a number of bytes; a type for argparse.

    Raises
    ------
    argparse.ArgumentTypeError
        If the text is not a size.

    Examples
    --------
    >>> size("500MB"), size("2GiB"), size("1.5kB"), size("4G"), size("4096")
    (500000000, 2147483648, 1500, 4000000000, 4096)
    """
    # Longer units first: "kib" also ends in "b", and everything ends in "".
    units = {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
    units |= {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "b": 1}
    units |= {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "": 1}
    return int(quantity(text, units, "a size like 500MB, 2GiB or a number of bytes"))


def duration(text: str) -> float:
    """Read a duration in seconds; a type for argparse.

    Raises
    ------
    argparse.ArgumentTypeError
        If the text is not a duration.

    Examples
    --------
    >>> duration("90s"), duration("10min"), duration("1.5h")
    (90.0, 600.0, 5400.0)
    """
    return quantity(text, {"min": 60, "s": 1, "h": 3600}, "a duration like 90s, 10min or 2h")


def quantity(text: str, units: Mapping[str, int], expected: str) -> float:
    """Read a number followed by one of several units, for argparse.

    Parameters
    ----------
    text : str
        The argument; the unit may be in capitals.
    units : mapping from str to int
        Factor of each unit. The first unit that `text` ends in is used.
    expected : str
        What the error message says was expected.

    Returns
    -------
    float
        The number times the factor of its unit.

    Raises
    ------
    argparse.ArgumentTypeError
        If the text is something else.
    """
    for unit, factor in units.items():
        if text.lower().endswith(unit):
            with contextlib.suppress(ValueError):
                number = float(text[: len(text) - len(unit)])
                if 0 <= number < math.inf:
                    return number * factor
    raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}")
