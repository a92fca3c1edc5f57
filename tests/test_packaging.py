"""The files that install, check and run the project agree with each other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import setuptools
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PINS = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line]
NOT_PACKAGES = {"benchmarks", "docs", "tests"}


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_constraints_are_exact_versions_and_nothing_else() -> None:
    """Every line is name==version: no address, no option, no editable project."""
    odd = [line for line in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)]
    assert odd == []
    assert sorted(PINS, key=str.lower) == PINS


def test_constraints_pin_every_dependency_within_its_bounds(pyproject: dict[str, Any]) -> None:
    """What pyproject.toml asks for, extras included, is pinned to a version that it admits."""
    project = pyproject["project"]
    asked = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    pinned = {
        canonicalize_name(name): version for name, _, version in (p.partition("==") for p in PINS)
    }
    for requirement in map(Requirement, asked):
        name = canonicalize_name(requirement.name)
        if name != project["name"]:
            assert name in pinned, f"{requirement} is not pinned"
            assert requirement.specifier.contains(Version(pinned[name])), requirement


def test_listed_packages_are_the_folders_with_code(pyproject: dict[str, Any]) -> None:
    """setuptools, mypy and import-linter know every package, and each is marked as typed."""
    folders = {
        str(file.parent.relative_to(ROOT)).replace(os.sep, ".")
        for folder in ROOT.iterdir()
        if folder.is_dir() and folder.name not in NOT_PACKAGES and folder.name[0] != "."
        for file in folder.rglob("__init__.py")
    }
    tools = pyproject["tool"]
    found = setuptools.find_packages(
        str(ROOT), include=tools["setuptools"]["packages"]["find"]["include"]
    )
    assert set(found) == folders
    folders = {name for name in folders if "." not in name}  # with what is in them
    assert set(tools["mypy"]["packages"]) == folders
    assert set(tools["importlinter"]["root_packages"]) == folders
    assert [name for name in folders if not (ROOT / name / "py.typed").is_file()] == []


def test_no_file_names_a_package_index() -> None:
    """Where packages come from is the user's setting: no file of the project spells it out."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout, which tells the project's own files")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    hosts = re.compile(rb"(?i)(py" + rb"pi|python" + rb"hosted)\.org")
    files = [ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    naming = [str(file) for file in files if file.is_file() and hosts.search(file.read_bytes())]
    assert files
    assert naming == []


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as a person would, also where these tests are themselves run by make."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("target", "commands"),
    [
        ("demo", ["-m extract --data shapes", "-m classify --data shapes --clf all"]),
        (
            "test",
            [
                *("ruff check", "ruff format --check", "mypy", "lint-imports"),
                *("--doctest-modules", "-m sphinx"),
            ],
        ),
        ("docs", ["-m sphinx", "--fail-on-warning"]),
        ("bench", ["for name in extract ", "-m benchmarks.$name", "-m benchmarks.common.table"]),
    ],
)
def test_make_target_runs_its_commands_in_order(target: str, commands: list[str]) -> None:
    """A dry run of make shows the commands, in order."""
    done = make(ROOT, "--dry-run", target)
    assert done.returncode == 0, done.stderr
    places = [done.stdout.find(command) for command in commands]
    assert -1 not in places
    assert places == sorted(places)


def test_fast_tests_come_before_slow_ones() -> None:
    """`make test` says early what is wrong: the fast tests run first."""
    done = make(ROOT, "--dry-run", "test")
    assert done.returncode == 0, done.stderr
    chosen = re.findall(r"pytest .*-m '?((?:not )?\w+(?: and not \w+)?)", done.stdout)
    assert chosen == [
        "not slow and not photographs",
        "slow and not photographs",
        "photographs and not exhaustive",
    ]


def test_make_says_plainly_that_a_python_is_too_old(tmp_path: Path) -> None:
    """With a Python outside 3.11 to 3.13, make stops before it makes anything."""
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1\nexit 1\n')
    old.chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    done = make(tmp_path, f"PYTHON={old}", "demo")
    assert done.returncode != 0
    assert "Python 3.11 to 3.13 is needed" in done.stderr
    assert "Python 3.9.1" in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.skipif(os.name == "nt", reason="the script is for bash")
def test_ci_script_is_sound_bash() -> None:
    """The script parses, and stops at the first failure."""
    script = ROOT / ".ci" / "run"
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "set -euo pipefail" in script.read_text()


def test_hooks_before_a_commit_run_in_the_projects_own_environment() -> None:
    """Each hook is a tool of `.venv`, which `make lint` runs too; none is downloaded."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        tool = Path(hook["entry"].split()[0])
        assert hook["language"] == "system"
        assert tool.parent == Path(".venv/bin")
        assert f"$(BIN)/{tool.name}" in makefile


def test_the_workflow_runs_the_ci_script_and_builds_the_package() -> None:
    """Only GitHub's own actions are used."""
    workflow = yaml.safe_load(
        (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    )
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = [line for step in steps for line in step.get("run", "").splitlines()]
    assert {".ci/run", "python -m build"} <= set(commands)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert {step["uses"].partition("/")[0] for step in steps if "uses" in step} == {"actions"}


def test_the_citation_names_this_version(pyproject: dict[str, Any]) -> None:
    """`CITATION.cff` has the title, version and licence of `pyproject.toml`."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = pyproject["project"]
    assert citation["title"] == project["name"]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]


def test_issue_forms_are_valid() -> None:
    """Each form has the fields that GitHub requires."""
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    forms = [path for path in folder.glob("*.yml") if path.name != "config.yml"]
    assert len(forms) == 2
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= set(form)
        assert all({"type", "attributes"} <= set(field) for field in form["body"])
