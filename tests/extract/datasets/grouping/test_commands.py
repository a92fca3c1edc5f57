"""Groups on the command line: suggested by a dry run, taken as suggested, and refused by name."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.commands import run_command
from tests.extract.datasets.grouping.samples import make, patients

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with pictures of twelve patients in class folders."""
    make(tmp_path / "pictures", patients())
    return tmp_path


def dry_run(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run_command(
        "extract", "--data", "pictures", "--cache", "cache", "--dry-run", *options, cwd=home
    )


def test_what_a_dry_run_suggests_can_be_pasted(home: Path) -> None:
    (line,) = [li for li in dry_run(home).stdout.splitlines() if li.startswith("groups?")]
    assert line == (
        "groups?      36 images seem to come in 12 groups (names up to the last underscore); "
        "--group-by '([^/]+)_[^/_]*$' keeps them together"
    )
    options = shlex.split(line.partition("; ")[2].removesuffix(" keeps them together"))
    lines = dry_run(home, *options).stdout.splitlines()
    assert "groups       12 (paths, by ([^/]+)_[^/_]*$)" in lines
    assert not [li for li in lines if li.startswith("groups?")]


def test_a_dry_run_says_it_in_json(home: Path) -> None:
    found = json.loads(dry_run(home, "--json").stdout)
    assert found["groups"] is None
    assert found["group_signs"] == [
        {
            "what": "names up to the last underscore",
            "images": 36,
            "groups": 12,
            "setting": "group_by",
            "value": "([^/]+)_[^/_]*$",
        }
    ]
    found = json.loads(dry_run(home, "--json", "--group-by", "/(...)_").stdout)
    assert found["group_signs"] == []
    assert found["groups"]["number"] == 12


def test_groups_that_cannot_be_divided_are_a_note_of_a_dry_run(home: Path) -> None:
    lines = dry_run(home, "--group-by", "^[^/]*").stdout.splitlines()
    assert any(line.startswith("note         Each class is one group") for line in lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--group-by", "("), "is no regular expression"),
        (("--group-by", "^[^/]*"), "each class is one group"),
        (("--group-column", "patient"), "found no table that is read with the data"),
        (("--groups", "absent.csv"), "absent.csv cannot be read as a table: there is no such file"),
        (("--group-by", "folder", "--groups", "g.csv"), "expected one source of groups, found 2"),
    ],
)
def test_mistakes_are_one_line_with_the_option(
    home: Path, options: tuple[str, ...], message: str
) -> None:
    done = run_command("extract", "--data", "pictures", "--cache", "cache", *options, cwd=home)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert line.endswith(f"({options[0]})")
