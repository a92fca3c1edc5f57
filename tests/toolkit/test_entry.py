"""Commands as processes: Ctrl-C at any moment, from the first imports to the end of Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRESSES = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the shell has set
class Finder:
    def find_spec(name, path=None, target=None):
        if name == WHERE:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder)
"""
START = """
import signal
signal.signal(signal.SIGINT, signal.{handler})
from toolkit.entry import run_process
run_process("command")
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the modules of a folder and those of the toolkit."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


@pytest.mark.parametrize(
    "module",
    [
        "cache", "classify", "classify.export", "classify.predict", "classify.review",
        "classify.serve", "extract", "reports",
    ],
)  # fmt: skip
def test_ctrl_c_during_the_imports_is_one_sentence(module: str, tmp_path: Path) -> None:
    """Whoever sees a mistake in the command that has just been started presses it at once."""
    (tmp_path / "sitecustomize.py").write_text(PRESSES + "WHERE = 'argparse'")
    done = run(tmp_path, "-m", module, "--help")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


@pytest.mark.parametrize(
    "lines",
    ["exec('raise KeyboardInterrupt')", "raise ImportError from KeyboardInterrupt()"],
)
def test_ctrl_c_has_its_status_wherever_it_is_pressed(lines: str, tmp_path: Path) -> None:
    """Python would end with a signal after the first, and takes the second for a missing module."""
    (tmp_path / "command.py").write_text(lines)
    (tmp_path / "begin.py").write_text(
        "from toolkit.entry import run_process; run_process('command')"
    )
    done = run(tmp_path, "-m", "begin")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_ctrl_c_in_a_finalizer_is_not_lost(tmp_path: Path) -> None:
    """Python ignores errors there."""
    (tmp_path / "command.py").write_text(
        "import signal, time\n"
        "class Finalized:\n"
        "    def __del__(self):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "def main():\n"
        "    Finalized()\n"
        "    time.sleep(100)\n"
    )
    done = run(tmp_path, "-c", START.format(handler="default_int_handler"))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_what_else_fails_in_a_finalizer_is_said(tmp_path: Path) -> None:
    """As Python does."""
    (tmp_path / "command.py").write_text(
        "class Finalized:\n"
        "    def __del__(self):\n"
        "        1 / 0\n"
        "def main():\n"
        "    Finalized()\n"
        "    return 0\n"
    )
    done = run(tmp_path, "-c", "from toolkit.entry import run_process; run_process('command')")
    assert done.returncode == 0
    assert "ZeroDivisionError" in done.stderr


def test_ctrl_c_takes_effect_after_the_import_of_a_large_library(tmp_path: Path) -> None:
    """In the middle, the library might take it for a missing module, and go on without."""
    (tmp_path / "sitecustomize.py").write_text(PRESSES + "WHERE = 'openvino._pyopenvino'")
    done = run(
        tmp_path,
        "-c",
        "import sys\n"
        "from toolkit.libraries import import_openvino\n"
        "try:\n"
        "    import_openvino()\n"
        "except KeyboardInterrupt:\n"
        "    print(hasattr(sys.modules.get('openvino'), 'Core'))\n",
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_ctrl_c_after_the_end_says_nothing(tmp_path: Path) -> None:
    """What was printed stays, and Python prints no traceback while it ends."""
    (tmp_path / "command.py").write_text(
        "import atexit, signal\n"
        "def main():\n"
        "    atexit.register(signal.raise_signal, signal.SIGINT)\n"
        "    print('done', flush=True)\n"
        "    return 0\n"
    )
    done = run(tmp_path, "-c", START.format(handler="default_int_handler"))
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "done\n", "")


def test_a_shell_that_ignores_ctrl_c_is_respected(tmp_path: Path) -> None:
    """As for a command in the background, which finishes."""
    (tmp_path / "command.py").write_text(
        "import atexit, signal\n"
        "def main():\n"
        "    atexit.register(signal.raise_signal, signal.SIGINT)\n"
        "    return 0\n"
    )
    assert run(tmp_path, "-c", START.format(handler="SIG_IGN")).returncode == 0
