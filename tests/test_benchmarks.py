"""Benchmarks publish their figures faithfully, and the documentation shows what they published."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import precision
from benchmarks.cold import phases
from benchmarks.common import inputs, table
from benchmarks.common.inputs import Row, judge, measured, publish
from extract.engines import FORWARD_PASSES
from toolkit.statistics import largest_loss

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the benchmarks publish into a folder that does not exist yet."""
    folder = tmp_path / "results"
    monkeypatch.setattr(inputs, "RESULTS", folder)
    return folder


def test_the_table_in_the_docs_comes_from_the_results() -> None:
    """`python -m benchmarks.common.table` would not change the page."""
    page = table.PAGE.read_text(encoding="utf-8")
    assert table.replaced(page, table.table(inputs.RESULTS)) == page


def test_bench_runs_every_benchmark_in_the_order_of_the_table() -> None:
    """The Makefile, the table, and the modules that publish name the same benchmarks."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    listed = re.findall(r"^BENCHMARKS := (.*)$", makefile, re.MULTILINE)
    assert [name.rpartition(".")[2] for name in listed[0].split()] == [*table.ORDER]
    publishing = {
        path.stem
        for path in (ROOT / "benchmarks").rglob("*.py")
        if "inputs.publish(" in path.read_text(encoding="utf-8")
    }
    assert publishing == set(table.ORDER)


def test_publish_writes_median_range_and_verdict(results: Path) -> None:
    """The file has one line per figure, with everything needed to judge it."""
    publish("extract", [Row("ours / theirs", [1.1, 1.0, 1.3], promised=">= 1.05")])
    (figure,) = table.read(results / "extract.csv")
    assert (figure.what, figure.rounds, figure.unit) == ("ours / theirs", 3, "")
    assert (figure.low, figure.median, figure.high) == (1.0, 1.1, 1.3)
    assert (figure.promised, figure.met) == (">= 1.05", "yes")
    assert figure.machine.endswith("cores")


def test_publish_prints_what_it_writes(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every figure is one line: median, range, rounds, promise, verdict."""
    publish(
        "large",
        [
            Row("whole command", [181.0, 179.0, 190.0], "s", "<= 180"),
            Row("ours / theirs", [10.0, 12.0], promised=">= 10"),
            Row("accuracy", [0.975]),
        ],
    )
    assert capsys.readouterr().out.splitlines() == [
        "whole command: 181 s (179 to 190), 3 rounds; promised <= 180: NOT MET",
        "ours / theirs: 11.0 (10.0 to 12.0), 2 rounds; promised >= 10: met",
        "accuracy: 0.975",
    ]


def test_publish_replaces_the_figures_of_an_earlier_run(results: Path) -> None:
    """The file holds only the figures of the last run."""
    publish("dense", [Row("first", [1.0]), Row("second", [2.0])])
    publish("dense", [Row("first", [3.0])])
    assert [figure.median for figure in table.read(results / "dense.csv")] == [3.0]


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_publish_refuses_missing_and_infinite_values(results: Path, values: list[float]) -> None:
    """A row without a value, or with one that is not finite, is an error; nothing is written."""
    with pytest.raises(ValueError, match="'ours'"):
        publish("dense", [Row("theirs", [1.0]), Row("ours", values)])
    assert not results.exists()


@pytest.mark.parametrize(
    ("promised", "value", "verdict"),
    [
        (">= 1.05", 1.05, "yes"),
        (">= 1.05", 1.0499, "no"),
        ("<= 0.3", 0.3, "yes"),
        ("<= 0.3", 0.3001, "no"),
        ("<= 0.3", -0.1, "yes"),
        ("", 7.0, ""),
    ],
)
def test_a_promise_is_judged_with_its_bound(promised: str, value: float, verdict: str) -> None:
    """A value equal to the bound meets it."""
    assert judge(promised, value) == verdict


@pytest.mark.parametrize(
    "promised", ["> 1", ">=1", "fast", ">= ", ">= 1 s", "at least 5", ">= 1e3"]
)
def test_a_promise_of_another_form_is_an_error(promised: str) -> None:
    """Anything but a sign and a number is refused, so that no promise goes unchecked."""
    with pytest.raises(ValueError, match="a promise is"):
        judge(promised, 1.0)


@pytest.mark.parametrize(
    ("figures", "unit", "text"),
    [
        ((1.0, 0.9512, 1.2), "", "1.00 (0.951 to 1.20)"),
        ((25123.4, 24000.0, 26000.0), "images/s", "25,123 images/s (24,000 to 26,000)"),
        ((0.0, 0.0, 0.0), "points", "0 points"),
        ((-0.05, -0.05, -0.05), "points", "-0.0500 points"),
    ],
)
def test_figures_have_three_digits(
    figures: tuple[float, float, float], unit: str, text: str
) -> None:
    """The range follows the median, unless all values are equal."""
    assert measured(*figures, unit) == text


def line(**cells: str) -> str:
    """Return a line of a results file that is valid except for the given cells."""
    valid = dict(
        zip(
            inputs.COLUMNS,
            ["ours", "1.1", "1", "1.2", "5", "", ">= 1", "yes", "Abacus, 2 cores", "2026-01-31"],
            strict=True,
        )
    )
    return ",".join(f'"{cell}"' for cell in (valid | cells).values())


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"median": "fast"}, "fast"),
        ({"median": "nan"}, "nan"),
        ({"median": "1.3"}, "not within the range 1 to 1.2"),
        ({"high": "inf"}, "inf"),
        ({"rounds": "0"}, "rounds"),
        ({"rounds": "2.5"}, "2.5"),
        ({"promised": "> 1"}, "a promise is"),
        ({"promised": ">= 2"}, "the promise '>= 2' is marked 'yes'"),
        ({"met": "no"}, "is marked 'no'"),
        ({"promised": ""}, "is marked 'yes'"),
        ({"machine": ""}, "name of the figure and of the machine"),
        ({"what": ""}, "name of the figure and of the machine"),
        ({"date": "yesterday"}, "yesterday"),
    ],
)
def test_a_line_that_contradicts_itself_is_an_error(
    tmp_path: Path, cells: dict[str, str], reason: str
) -> None:
    """The message names the file, the line and the reason."""
    path = tmp_path / "extract.csv"
    path.write_text("\n".join([",".join(inputs.COLUMNS), line(), line(**cells)]) + "\n")
    with pytest.raises(ValueError, match=r"extract\.csv, line 3: ") as error:
        table.read(path)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected the columns what,median,"),
        ("what,median\nours,1\n", "found what,median"),
        (",".join(inputs.COLUMNS) + "\n", "the file has no figures"),
        (",".join(inputs.COLUMNS) + "\nours,1.1,1\n", "expected 10 cells, found 3"),
    ],
)
def test_a_file_of_another_format_is_an_error(tmp_path: Path, text: str, reason: str) -> None:
    """An empty, foreign or truncated file is never ignored."""
    path = tmp_path / "extract.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"extract\.csv") as error:
        table.read(path)
    assert reason in str(error.value)


def test_the_table_has_every_figure_in_the_order_of_the_benchmarks(tmp_path: Path) -> None:
    """Machines and dates come first, then a line for each figure."""
    header = ",".join(inputs.COLUMNS)
    rate = line(what="rate", promised="", met="", unit="images/s", date="2026-02-03")
    (tmp_path / "csearch.csv").write_text(
        f"{header}\n"
        + line(
            what="extract, warm", median="6", low="4", high="9", unit="s", promised="<= 5", met="no"
        )
    )
    (tmp_path / "extract.csv").write_text(f"{header}\n{line()}\n{rate}\n")
    assert table.table(tmp_path) == (
        "Measured on Abacus, 2 cores, 2026-01-31 to 2026-02-03.\n"
        "\n"
        "| what | measured (median, range) | promised | met |\n"
        "|---|---|---|---|\n"
        "| ours | 1.10 (1.00 to 1.20) | at least 1 | yes |\n"
        "| rate | 1.10 images/s (1.00 to 1.20) | - | - |\n"
        "| extract, warm | 6.00 s (4.00 to 9.00) | at most 5 s | **no** |\n"
    )


def test_results_of_an_unknown_benchmark_are_an_error(tmp_path: Path) -> None:
    """A file of a benchmark that was removed does not stay in the table."""
    (tmp_path / "gone.csv").write_text(f"{','.join(inputs.COLUMNS)}\n{line()}\n")
    with pytest.raises(ValueError, match=r"gone.csv belongs to no benchmark"):
        table.table(tmp_path)


def test_only_the_text_between_the_comments_is_replaced() -> None:
    """Writing the table twice gives the same page as writing it once."""
    page = f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    once = table.replaced(page, "new\n")
    assert once == f"before\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"
    assert table.replaced(once, "new\n") == once


@pytest.mark.parametrize(
    "page",
    [
        "nothing",
        BEGIN,
        END + BEGIN,
        BEGIN + BEGIN + END,
        BEGIN + END + END,
    ],
)
def test_a_page_without_its_two_comments_is_an_error(page: str) -> None:
    """The table is never written somewhere else."""
    with pytest.raises(ValueError, match="each once"):
        table.replaced(page, "new\n")


def test_the_loss_by_int8_has_a_bound() -> None:
    """Of 100 images 8 are right with float32 alone, 1 with int8 alone; 10 are wrong with both."""
    truth = np.array(["cat"] * 100)
    first, second = truth.copy(), truth.copy()
    second[:8] = first[8] = "dog"
    first[20:30] = second[20:30] = "dog"
    comparison = precision.compare(truth, first, second)
    assert (comparison.only_first, comparison.only_second, comparison.n_test) == (8, 1, 100)
    assert comparison.loss == pytest.approx(7.0)
    assert comparison.largest_loss == pytest.approx(100 * largest_loss(8, 1, 100))


def test_equal_predictions_of_few_images_do_not_show_that_int8_loses_nothing() -> None:
    """Nor does a p-value of 1. Of 2,000 images they do."""
    few, many = (precision.Comparison((0.9, 0.9), 0, 0, n) for n in (100, 2000))
    for comparison, met in ((few, "no"), (many, "yes")):
        bound = precision.rows_of("svm", comparison)[-1]
        assert judge(bound.promised, bound.values[0]) == met


def test_every_phase_but_the_forward_passes_is_promised_to_be_short() -> None:
    """Its share is of all phases of a round; one that a round lacks took no time there."""
    rounds = [
        {FORWARD_PASSES: 6.0, "imports": 3.0, "hashing": 0.9, "saving": 0.05, "other": 0.05},
        {FORWARD_PASSES: 12.0, "imports": 6.0, "hashing": 2.0},
    ]
    rows = phases.rows_of(rounds, [10.0, 20.4])
    shares = {row.what.split(" in ")[0]: row for row in rows}
    assert list(shares)[:4] == [
        f"share of {FORWARD_PASSES}",
        "share of imports",
        "share of hashing",
        "share of 2 phases of under 1% together",
    ]
    forward, imports, hashing, others, counted, seconds = rows
    assert forward.values == pytest.approx([0.6, 0.6])
    assert forward.promised == ""
    assert imports.values == pytest.approx([0.3, 0.3])
    assert imports.promised == "<= 0.1"
    assert hashing.values == pytest.approx([0.09, 0.1])
    assert others.values == pytest.approx([0.01, 0.0])
    assert counted.values == pytest.approx([1.0, 20 / 20.4])
    assert seconds.values == [10.0, 20.4]
