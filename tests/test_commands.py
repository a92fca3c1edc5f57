"""What all commands have in common: quick help, exit statuses, nothing heavy at start-up."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "extract",
    "classify",
    "classify.predict",
    "classify.review",
    "classify.serve",
    "classify.export",
    "cache",
    "reports",
)


def python(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
        **options,
    )  # fmt: skip


@pytest.mark.skipif("COVERAGE_PROCESS_CONFIG" in os.environ, reason="coverage takes time, too")
@pytest.mark.parametrize("command", COMMANDS)
def test_help_takes_under_half_a_second(command: str) -> None:
    """Of a processor, and the best of three, so that a busy machine does not decide."""
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = python("-m", command, "--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 0
        assert done.stdout.startswith(f"usage: python -m {command}")
    assert 0 < min(seconds) < 0.5


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_heavy(command: str) -> None:
    """TensorFlow, scikit-learn, OpenCV, pandas and matplotlib wait until they are needed."""
    done = python("-X", "importtime", "-m", command, "--help")
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    heavy = {"tensorflow", "keras", "sklearn", "cv2", "pandas", "matplotlib", "scipy", "jinja2"}
    heavy |= {"distributed", "fastapi", "pyarrow", "onnx", "onnxruntime", "openvino"}
    assert imported & heavy == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_the_users_mistake(command: str) -> None:
    """Status 2 and one line, that says where to look."""
    done = python("-m", command, "--surely-no-option")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert f"python -m {command} --help" in line


@pytest.mark.parametrize(
    "given", [["--leaning-rate", "0.1"], ["--leaning-rate=1e-5,5e-5,1e-4,1e-3"]]
)
def test_an_option_that_is_nearly_right_is_recognised(given: list[str]) -> None:
    """A slip of the pen is answered with the option that is like it."""
    done = python("-m", "classify", *given)
    assert (done.returncode, "did you mean --learning-rate" in done.stderr) == (2, True)


def test_a_wrong_value_is_not_taken_for_a_wrong_option() -> None:
    """The option was right."""
    done = python("-m", "classify", "--preset", "fas")
    assert (done.returncode, "did you mean" in done.stderr) == (2, False)
    assert "argument --preset: invalid choice: 'fas'" in done.stderr


def test_a_note_is_said_once() -> None:
    """However many classifiers come upon the same thing."""
    code = (
        "import logging, sys; from argparse import Namespace; from toolkit.console import run\n"
        "def command(args):\n"
        "    for note in ('one', 'other', 'one'):\n"
        "        logging.getLogger('classify').info('the %s note', note)\n"
        "sys.exit(run(command, Namespace()))"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr.splitlines()) == (0, ["the one note", "the other note"])


def test_a_fault_of_ours_is_status_1_with_its_traceback(tmp_path: Path) -> None:
    """What nobody foresaw is not dressed up as the user's mistake."""
    code = (
        "import sys; from argparse import Namespace; from toolkit.console import run\n"
        "def broken(args): raise ZeroDivisionError\n"
        "sys.exit(run(broken, Namespace()))"
    )
    done = python("-c", code)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_a_reader_that_has_had_enough_is_no_error(tmp_path: Path) -> None:
    """`python -m cache ls | head -1` ends quietly."""
    code = (
        "import sys; from argparse import Namespace; from toolkit.console import run\n"
        "def talkative(args):\n    for _ in range(100000): print('a line')\n"
        "sys.exit(run(talkative, Namespace()))"
    )
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    os.read(reader, 10)
    os.close(reader)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
