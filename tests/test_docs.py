"""The documentation points to files, modules and options that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
COMMANDS = (
    "extract", "classify", "classify.predict", "classify.review", "classify.serve",
    "classify.export", "reports",
    "cache ls", "cache verify", "cache repair", "cache prune", "cache clear",
)  # fmt: skip
FOLDERS = "benchmarks|cache|classify|docs|extract|reports|tests|toolkit"
OF_OTHERS = {"--data-binary", "--silent", "--help"}
"""Options of other programs."""


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def slugs(text: str) -> set[str]:
    """Return the anchors that GitHub and MyST give to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_files_and_headings(name: str) -> None:
    """Every relative link names a file of the repository, and a heading that it has."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(name)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert file.exists(), target
        if anchor:
            assert anchor in slugs(file.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("name", NAMES)
def test_files_and_modules_that_are_named_exist(name: str) -> None:
    """A path, a module or a function in code style is one of the repository."""
    for code in re.findall(r"`([^`\n]+)`", text_of(name)):
        if re.fullmatch(rf"({FOLDERS})/[\w./-]*", code):
            assert (ROOT / code).exists(), code
        elif re.fullmatch(rf"(python -m )?({FOLDERS})(\.\w+)+", code):
            assert is_there(code.removeprefix("python -m ")), code
        elif re.fullmatch(r"\w+\.py", code):
            assert [*ROOT.glob(f"[!.]*/**/{code}")], code


def is_there(dotted: str) -> bool:
    """Return whether a dotted name is a module of ours, or an attribute of one."""
    parent, _, last = dotted.rpartition(".")
    path = ROOT / dotted.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    spec = find_spec(parent)
    assert spec is not None, parent
    return bool(re.search(rf"\b{last}\b", Path(str(spec.origin)).read_text(encoding="utf-8")))


def test_options_that_are_named_exist() -> None:
    """Every option in code style belongs to a command, or to make, pip or curl."""
    help_texts = [
        subprocess.run(
            [sys.executable, "-m", *command.split(), "--help"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout
        for command in COMMANDS
    ]  # fmt: skip
    known = {option for text in help_texts for option in re.findall(r"--[a-z][a-z-]*", text)}
    for name in NAMES:
        if name == "CHANGELOG.md" or name.startswith("docs/api"):
            continue
        code = re.findall(r"`([^`\n]+)`|^(?:python -m|curl) (.+)$", text_of(name), re.MULTILINE)
        used = {
            option
            for pair in code
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(pair))
            if "pytest" not in pair[0] and "git" not in pair[0]
        }
        assert used <= known | OF_OTHERS, (name, used - known - OF_OTHERS)
