"""`python -m reports --list`: the runs of a folder, in the terminal and as a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports.cli import main
from tests.reports.samples import sample

RUN, _ = sample(["cats", "dogs"], n_per_class=20, classifiers=("svm", "cnn"))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder with an old and a new run, a broken one, and a folder that is no run."""
    folder = tmp_path / "runs"
    for name, run in (
        ("a-new", replace(RUN, created="2026-05-01T10:00:00+00:00")),
        ("b-old", replace(RUN, created="2025-01-01T10:00:00+00:00", results=[])),
    ):
        (folder / name).mkdir(parents=True)
        (folder / name / "run.json").write_text(run.to_json(), encoding="utf-8")
    (folder / "a-new" / "report.html").write_text("a report")
    (folder / "broken").mkdir()
    (folder / "broken" / "run.json").write_text("{")
    (folder / "other").mkdir()
    return folder


def test_the_latest_run_is_the_first_and_a_broken_one_is_reported(runs, capsys):
    """The table names the best classifier; the page links the reports that exist."""
    assert main(["--list", str(runs)]) == 0
    out, err = capsys.readouterr()
    path, _, _, _, *lines = out.splitlines()
    assert path == str(runs / "index.html")
    assert [line.split()[0] for line in lines] == ["a-new", "b-old"]
    assert "svm" in lines[0]
    assert lines[1].split()[-1] == "-"
    assert "broken" in err
    html = (runs / "index.html").read_text(encoding="utf-8")
    assert 'href="a-new/report.html"' in html
    assert "b-old/report.html" not in html


def test_the_table_is_at_most_100_columns_wide(runs, capsys):
    """However long the name of the data set is."""
    run = replace(RUN, data=replace(RUN.data, name="a long name " * 20))
    (runs / "a-new" / "run.json").write_text(run.to_json(), encoding="utf-8")
    assert main(["--list", str(runs)]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert max(map(len, lines)) <= 100
    assert lines[2].startswith("a-new")


def test_data_sets_whose_long_names_end_or_begin_alike_are_tellable(runs, capsys):
    """A long name goes on in the next line."""
    for folder, name in (("a-new", "a" * 60 + "-left"), ("b-old", "b" + "a" * 59 + "-left")):
        run = replace(RUN, data=replace(RUN.data, name=name))
        (runs / folder / "run.json").write_text(run.to_json(), encoding="utf-8")
    assert main(["--list", str(runs)]) == 0
    shown = capsys.readouterr().out.split("a-new")[-1]
    assert shown.count("a") - shown.count("at") > 100


def test_without_a_folder_it_is_runs(runs, capsys, monkeypatch):
    """The default is where python -m classify writes."""
    monkeypatch.chdir(runs.parent)
    assert main(["--list", "--quiet"]) == 0
    assert capsys.readouterr().out == f"{Path('runs', 'index.html')}\n"


def test_no_run_is_a_clear_message(tmp_path, capsys):
    """No page is written."""
    assert main(["--list", str(tmp_path)]) == 2
    assert "there is no run in" in capsys.readouterr().err
    assert main(["--list", str(tmp_path / "gone")]) == 2
    assert "cannot list" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["run", "--out", "x.html"], ["--list", "runs", "--out", "x.html"]]
)
def test_out_without_a_comparison_is_refused(arguments, capsys):
    """Only a comparison has a page whose place can be chosen."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "--out is for" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["a-run", "--list", "runs"]])
def test_it_either_lists_or_renders(arguments, capsys):
    """Neither and both are errors."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "either runs to render, or --list" in capsys.readouterr().err


def test_hostile_folder_and_data_names_stay_text(runs):
    """Folders and data sets may have any name."""
    hostile = runs / "<img src=x onerror=alert(1)>\udcff"
    hostile.mkdir()
    run = replace(RUN, data=replace(RUN.data, name="<script>alert(1)</script>"))
    (hostile / "run.json").write_text(run.to_json(), encoding="utf-8")
    (hostile / "report.html").write_text("a report")
    assert main(["--list", str(runs), "--quiet"]) == 0
    html = (runs / "index.html").read_text(encoding="utf-8")
    assert "<img" not in html
    assert "<script>alert" not in html
