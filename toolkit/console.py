"""How every command line of the toolkit speaks: exit statuses, notes, and progress.

The library never prints. It raises `ToolkitError`, logs notes to its module's logger, and reports
long work to a `Progress` callback; this module turns these into what a person reads.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from toolkit.errors import ToolkitError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


PACKAGES = ("toolkit", "cache", "extract", "reports", "classify")
_OPTIONS = "_options"
EXIT_USER, EXIT_INTERRUPTED = 2, 130
SECONDS_BETWEEN_LINES = 10.0


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and that leaves its options' names for `run`."""

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
        option = unknown.split(" ")[0].partition("=")[0]
        hint = did_you_mean(option, self._option_string_actions)
        _say(f"error: {message}{hint}; {self.prog} --help lists what there is")
        raise SystemExit(EXIT_USER)


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Show an option's default, unless it says nothing."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False:
            return action.help
        return super()._get_help_string(action)


def argument_parser(prog: str, description: str) -> argparse.ArgumentParser:
    """Return a parser in the toolkit's style: defaults shown, no abbreviated options."""
    return _Parser(
        prog=prog,
        description=description,
        allow_abbrev=False,
        formatter_class=_HelpFormatter,
    )


def run(command: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> int:
    """Run one command and return its exit status.

    Parameters
    ----------
    command : callable
        Called with `args`; raises `ToolkitError` for what the user can mend.
    args : argparse.Namespace
        May have `quiet`, which silences notes.

    Returns
    -------
    int
        0, or 2 after a `ToolkitError`, or 130 after Ctrl-C. Anything else is a bug of ours and
        passes through with its traceback, which Python turns into exit status 1.
    """
    _show_notes(quiet=bool(getattr(args, "quiet", False)))
    try:
        command(args)
        sys.stdout.flush()
    except ToolkitError as error:
        option = getattr(args, _OPTIONS, {}).get(error.setting)
        _say(f"error: {error} ({option})" if option else f"error: {error}")
        return EXIT_USER
    except KeyboardInterrupt as stopped:
        _say(str(stopped) or "stopped")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has had enough: not an error. Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


class _Once(logging.Filter):
    """Let every note pass once: what is true of the data is found again by each classifier."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        note = record.getMessage()
        new = note not in self._said
        self._said.add(note)
        return new


def _show_notes(quiet: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(_Once())
    for name in PACKAGES:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(logging.ERROR if quiet else logging.INFO)


def _say(message: str) -> None:
    print(" ".join(message.split()), file=sys.stderr)  # noqa: T201 - the console


def size(text: str) -> int:
    """Read a number of bytes, for argparse.

    Examples
    --------
    >>> size("500MB"), size("2GiB"), size("1.5kB"), size("4G"), size("4096")
    (500000000, 2147483648, 1500, 4000000000, 4096)
    """
    # The longest first: what ends in kib ends in b, and everything in nothing.
    units = {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
    units |= {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "b": 1}
    units |= {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "": 1}
    return int(quantity(text, units, "a size like 500MB, 2GiB or a number of bytes"))


def quantity(text: str, units: Mapping[str, int], expected: str) -> float:
    """Read a number with one of several units behind it, for argparse.

    Parameters
    ----------
    text : str
        Of a user; the unit may be in capitals.
    units : mapping from str to int
        What a number is multiplied with; the first unit that `text` ends in counts.
    expected : str
        What the message says should have been given.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is nothing of the kind.
    """
    for unit, factor in units.items():
        if text.lower().endswith(unit):
            with contextlib.suppress(ValueError):
                number = float(text[: len(text) - len(unit)])
                if 0 <= number < math.inf:
                    return number * factor
    raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}")
