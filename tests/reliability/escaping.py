"""Names of classes and files that look like HTML or formulas, in every table and page."""

from __future__ import annotations

import csv
import dataclasses
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from classify.serving.output.rows import RowFormat
from classify.serving.prediction import Prediction
from reports import tables
from reports.pages import page
from tests.reports.samples import sample
from toolkit.csv_cells import decode_text, write_quarantine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.records import Run

NAMES = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(2)>",
    "</title></style></svg><b>",
    "{{ 7*7 }}{% raw %}",
    "&lt;i&gt;",
    "javascript:alert(3)",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\uff1d1+1",
    "\t=1",
    "\r=1",
    "'quoted",
    'a,"b"\nc',
    "\u202etxt.exe",
    "\udcff\x00\x1b[31m",
    " =1",
]
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class Structure(HTMLParser):
    """The elements of a page with their attributes' names."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, ...]] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, *(name for name, _ in attrs)))
        self.links += [str(value) for name, value in attrs if name in {"href", "src"}]


def escapes() -> Iterator[str]:
    """Put hostile names into every table and page; yield what is not escaped."""
    harmless = [f"name {i:02}" for i in range(len(NAMES))]
    with tempfile.TemporaryDirectory() as folder:
        pages = [Structure(page.render(*_run(names), Path(folder))) for names in (harmless, NAMES)]
        if len(pages[0].elements) < 100 or pages[0].elements != pages[1].elements:
            yield "the page has other elements when names look like HTML"
        if any(not link.startswith(("#", "data:")) for link in pages[1].links):
            yield f"the page has the links {pages[1].links}"
        run, predictions = _run(NAMES)
        path = Path(folder, "table.csv")
        tables.write_predictions(predictions, path)
        if tables.read_predictions(path) != predictions:
            yield "predictions.csv does not give the names back"
        yield from _formulas(path)
        tables.write_metrics(run, path)
        yield from _formulas(path)
        write_quarantine(path, [(name, name) for name in NAMES])
        yield from _formulas(path)
        rows = RowFormat(refused=True, top=1)
        named = [Prediction(Path(name), name, 0.5, top=((name, 0.5),)) for name in NAMES]
        cells = [rows.cells(prediction) for prediction in named]
        if [decode_text(row[1]) for row in cells] != NAMES:
            yield "the table of classify.predict does not give the names back"
        if any(cell.startswith(FORMULAS) for row in cells for cell in row):
            yield "the table of classify.predict has a formula"
        lines = [rows.line(prediction) for prediction in named]
        if any(not line.isprintable() for line in lines):
            yield "classify.predict prints control characters"


def _run(names: list[str]) -> tuple[Run, list[tables.PredictionRow]]:
    run, predictions = sample(names, n_per_class=4, classifiers=("logreg", "svm"))
    predictions = [
        dataclasses.replace(row, path=f"{names[i % len(names)]}{i}.jpg")
        for i, row in enumerate(predictions)
    ]
    data = dataclasses.replace(run.data, name=names[0], root=names[1], split=names[2])
    quarantine = [type(run.quarantine[0])(name, name) for name in names]
    command = ["python", *names]
    return (
        dataclasses.replace(run, data=data, quarantine=quarantine, command=command),
        predictions,
    )


def _formulas(path: Path) -> Iterator[str]:
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            for cell in row:
                if cell.startswith(FORMULAS):
                    yield f"{path.name} has a formula: {cell!r}"
