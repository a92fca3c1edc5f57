from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reports.cli import main
from reports.reading import read_record
from reports.records import PictureRecord
from reports.tables import read_predictions, write_pictures, write_predictions
from tests.reports.samples import draw, sample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a run that has no report yet."""
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    pictures = tmp_path / "pictures"
    run, predictions = sample(
        ["cats", "dogs"], str(pictures), n_per_class=5, classifiers=("svm", "logreg")
    )
    draw(predictions, pictures)
    (folder / "run.json").write_text(run.to_json(), encoding="utf-8")
    write_predictions(predictions, folder / "predictions.csv")
    return folder


def test_a_run_is_rendered_from_its_record_alone(folder, capsys):
    """run.json and predictions.csv suffice; the path is printed; twice gives the same bytes."""
    assert main([str(folder)]) == 0
    report = folder / "report.html"
    assert capsys.readouterr().out == f"{report}\n"
    first = report.read_bytes()
    assert b"data:image/jpeg;base64," in first
    assert main([str(folder / "run.json")]) == 0
    assert report.read_bytes() == first


def test_a_report_keeps_its_thumbnails_when_the_images_are_gone(folder, capsys, tmp_path):
    """It is kept, with a warning; if there is no report, one without thumbnails is written."""
    assert main([str(folder)]) == 0
    before = (folder / "report.html").read_bytes()
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    assert main([str(folder)]) == 0
    assert (folder / "report.html").read_bytes() == before
    assert "is kept as it is" in capsys.readouterr().err
    (folder / "report.html").unlink()
    assert main([str(folder)]) == 0
    assert b'src="data:image/jpeg' not in (folder / "report.html").read_bytes()


def test_several_runs_are_compared(folder, capsys, tmp_path):
    """The comparison is written to --out and links the reports; a table is printed."""
    out = tmp_path / "side by side.html"
    assert main([str(folder), str(folder), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert str(out) in printed
    assert "95% interval" in printed
    assert 'href="runs/first/report.html"' in out.read_text(encoding="utf-8")


def test_runs_by_groups_are_compared_by_groups(folder, capsys, tmp_path):
    """The groups are those of pictures.csv; all images of one group prove nothing."""
    run, predictions = read_record(folder), read_predictions(folder / "predictions.csv")
    data = replace(run.data, test_groups=1, by_groups=True)
    (folder / "run.json").write_text(replace(run, data=data).to_json())
    paths = {row.path: row.true for row in predictions}
    write_pictures(
        [PictureRecord(path, true, "test", "0" * 64, "herd") for path, true in paths.items()],
        folder / "pictures.csv",
    )
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    wrong = {"cats": "dogs", "dogs": "cats"}
    worse = [replace(row, predicted=wrong[row.true]) for row in predictions]
    write_predictions(worse, other / "predictions.csv")
    out = tmp_path / "out.html"
    assert main([str(folder), str(other), "--out", str(out)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " gained, " in line]
    assert lines
    assert all("; not significant (p = 1.0)" in line for line in lines)
    assert "an exact permutation test of groups" in out.read_text(encoding="utf-8")


def test_the_comparison_goes_to_the_current_folder(folder, monkeypatch, tmp_path):
    """Without --out it is comparison.html."""
    monkeypatch.chdir(tmp_path)
    assert main([str(folder), str(folder), "--quiet"]) == 0
    assert (tmp_path / "comparison.html").is_file()


def test_quiet_prints_paths_only(folder, capsys, tmp_path):
    """No notes, no table."""
    (folder / "predictions.csv").unlink()
    out = tmp_path / "out.html"
    assert main([str(folder), str(folder), "--quiet", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [str(folder / "report.html")] * 2 + [str(out)]
    assert captured.err == ""


def test_a_run_without_predictions_is_rendered_with_a_note(folder, capsys):
    """Only the gallery is missing."""
    (folder / "predictions.csv").unlink()
    assert main([str(folder)]) == 0
    assert "no gallery of mistakes" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_one_line_and_status_2(folder, capsys, tmp_path):
    """Nothing is written, not even for the runs named before it."""
    assert main([str(folder), str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not (folder / "report.html").exists()


def test_malformed_predictions_are_status_2(folder, capsys):
    """The message names the file."""
    (folder / "predictions.csv").write_text("nonsense")
    assert main([str(folder)]) == 2
    assert "predictions.csv" in capsys.readouterr().err


def test_help_loads_nothing_heavy():
    """No library for drawing, tables or decoding is imported."""
    code = (
        "import sys; from reports.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'matplotlib', 'jinja2', 'cv2', 'pandas', 'sklearn', 'tensorflow'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "RUN" in done.stdout


def test_the_module_runs(folder):
    """`python -m reports` exits with the status of the command."""
    command = [sys.executable, "-m", "reports", str(folder), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(done.stdout.strip()).is_file()
