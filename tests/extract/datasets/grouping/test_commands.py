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


def real_error(home: Path, *options: str) -> str:
    """Return the message that the command ends with if it is no dry run."""
    done = run_command("extract", "--data", "pictures", "--cache", "cache", *options, cwd=home)
    assert done.returncode == 2
    return done.stderr.strip().removeprefix("error: ")


@pytest.mark.parametrize("spoil", ["each class", "constant", "column", "too few", "unusable"])
def test_a_dry_run_says_that_the_command_will_refuse(home: Path, spoil: str) -> None:
    """With the text that it ends with; the note alone did not say so."""
    options: tuple[str, ...] = ()
    names = sorted(path.relative_to(home / "pictures") for path in home.rglob("*.png"))
    if spoil in ("each class", "constant"):
        options = ("--group-by", "^[^/]*" if spoil == "each class" else "scan")
    elif spoil == "column":
        rows = [f"{name.as_posix()},{name.parent},herd" for name in names]
        (home / "pictures" / "all.csv").write_text("\n".join(["path,label,group", *rows]))
    elif spoil == "too few":
        make(home / "pictures", ["rare/1.png"])
    else:
        for i in range(4):
            (home / "pictures" / "broken").mkdir(exist_ok=True)
            (home / "pictures" / "broken" / f"{i}.png").write_bytes(b"no image %d" % i)
    done = dry_run(home, *options)
    assert done.returncode == 0
    (line,) = [li for li in done.stdout.splitlines() if li.startswith("refused")]
    if spoil != "unusable":  # for the others, no weights are needed
        error = real_error(home, *options)
        assert line == f"refused      without --dry-run: {error}"
        assert spoil != "column" or error.endswith("(--group-column)")
        refused = json.loads(dry_run(home, "--json", *options).stdout)["refused"]
        assert error.startswith(refused)
    else:
        assert "no usable image in class 'broken'" in line


def test_a_dry_run_of_sound_data_refuses_nothing(home: Path) -> None:
    done = dry_run(home, "--group-by", "/(...)_")
    assert "refused" not in done.stdout
    assert json.loads(dry_run(home, "--json").stdout)["refused"] is None


@pytest.mark.parametrize("kind", ["sign", "levels", "same names"])
def test_a_remark_in_the_terminal_names_the_option(tmp_path: Path, kind: str) -> None:
    """Not the setting that it is in Python; what it says can be pasted."""
    names = patients()
    if kind != "sign":
        stem = "{k}{i}" if kind == "levels" else "p{i}"
        names = [
            f"{k}/{stem.format(k=k, i=i)}/{s}/0.png" if kind == "levels" else f"{k}/p{i}/{s}.png"
            for k in "ab"
            for i in range(4)
            for s in ("may", "june")
        ]
    make(tmp_path / "pictures", names)
    options = () if kind == "sign" else ("--group-by", "folder")
    done = run_command(
        "extract", "--data", "pictures", "--layout", "class-folders", "--cache", "cache",
        "--weights", "absent.npz", *options, cwd=tmp_path,
    )  # fmt: skip
    assert "group_by" not in done.stderr
    (line,) = [li for li in done.stderr.splitlines() if "use --group-by '" in li]
    pasted = shlex.split(line.partition("use ")[2].removesuffix("."))
    done = run_command(
        "extract", "--data", "pictures", "--layout", "class-folders", "--cache", "cache",
        "--dry-run", *pasted, cwd=tmp_path,
    )  # fmt: skip
    assert "groups       " in done.stdout


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
