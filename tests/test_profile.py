"""`--profile`: the phases of a command add up to its wall-clock time, and are kept."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from extract.backbones.catalog import construct
from extract.engines import FORWARD_PASSES
from reports.reading import read_record
from tests.commands import python, run_command
from toolkit.phases import IMPORTS, OTHER

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

ARGUMENTS = ("--data", "pictures", "--weights", "vgg16.npz", "--size", "64", "--cache", "cache")
ROUNDS = 3


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 60 pictures, random weights of VGG16, and all embeddings in the cache."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    for label, brightness in (("bright", 120), ("dark", 0)):
        (home / "pictures" / label).mkdir(parents=True)
        for i in range(60):
            picture = rng.integers(0, 130, (64, 64, 3)) + brightness
            cv2.imwrite(str(home / "pictures" / label / f"{i}.png"), picture.astype(np.uint8))
    np.savez(home / "vgg16.npz", *construct("vgg16", 64).get_weights())
    return home


def test_phases_add_up_to_the_wall_clock_time_of_a_cold_command(home: Path) -> None:
    """Within 2%, and of that, what no phase claims is less than 5%.

    A process needs a moment to end after it has said what it took. On a busy machine that can be
    long, so one of several rounds must show it.
    """
    shares = []
    for i in range(ROUNDS):
        cache = ("--cache", f"cold-{i}", "--out", f"cold-run-{i}")
        started = time.monotonic()
        done = python(
            *("-m", "classify", "--clf", "logreg,svm", *ARGUMENTS, *cache, "--json", "--profile"),
            cwd=home,
        )
        wall = time.monotonic() - started
        assert done.returncode == 0, done.stderr
        phases = json.loads(done.stdout)["phases"]  # there is no table between the lines of JSON
        counted = sum(phases.values())
        shares.append((abs(1 - counted / wall), phases[OTHER] / counted))
        assert phases[FORWARD_PASSES] > 0
        assert phases[IMPORTS] > 0
        assert phases["SVM: choosing kernel and C"] > 0
        assert read_record(home / f"cold-run-{i}").phases == phases
        uncounted, unnamed = shares[-1]
        if uncounted <= 0.02 and unnamed < 0.05:
            return
    pytest.fail(f"shares that were not counted, and that no phase claims: {shares}")


def test_a_table_follows_what_extract_prints(home: Path) -> None:
    """First with the forward pass, then, with a warm cache, without it."""
    for is_cold in (True, False):
        done = run_command("extract", *ARGUMENTS, "--profile", cwd=home)
        assert done.returncode == 0, done.stderr
        summary, table = done.stdout.split("\n\n")
        assert summary.startswith("pictures: 120 files")
        names = [line.split("  ")[0] for line in table.splitlines()]
        assert (names[0], names[-1]) == ("phase", "all")
        assert "hashing images" in names
        assert (FORWARD_PASSES in names) == is_cold
    silent = run_command("extract", *ARGUMENTS, "--profile", "--quiet", cwd=home)
    assert silent.stdout.split()[:3] == ["phase", "seconds", "share"]


def test_extract_tells_programs_without_being_asked(home: Path) -> None:
    """The option adds nothing to the summary as JSON."""
    plain, profiled = (
        json.loads(run_command("extract", *ARGUMENTS, "--json", *more, cwd=home).stdout)
        for more in ((), ("--profile",))
    )
    assert plain["phases"].keys() == profiled["phases"].keys()
    assert sum(profiled["phases"].values()) > 0


def test_a_dry_run_has_a_table_too(home: Path) -> None:
    """It only looks at the data."""
    done = run_command("extract", *ARGUMENTS, "--dry-run", "--profile", cwd=home)
    assert done.stdout.splitlines()[-1].split()[0] == "all"


def test_there_is_no_table_after_an_error(home: Path) -> None:
    """The error is the last line."""
    done = run_command("classify", "--data", "missing", "--profile", cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
