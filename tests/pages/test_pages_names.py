"""Reports whose classes and classifiers have long names without spaces, in headless Chromium."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from chromium import CHROMIUM, opened

from reports.pages.page import render
from tests.reports.samples import sample

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get: chromium)"),
]


@pytest.mark.parametrize("width", [1200, 400])
@pytest.mark.parametrize("n_classes", [2, 12, 60])
def test_long_names_keep_the_page_within_the_window(
    browser: Any, tmp_path: Path, n_classes: int, width: int
) -> None:
    """Names of 80 characters, of classes and of classifiers, and those of the cards of classes."""
    names = [f"{i:02d}{'n' * 78}" for i in range(n_classes)]
    run, predictions = sample(names, n_per_class=10, classifiers=("svm", "logreg"))
    results = [
        replace(result, classifier=result.classifier.ljust(80, "c"), title="T" * 79 + str(i))
        for i, result in enumerate(run.results)
    ]
    of_classifier = {"svm": results[0].classifier, "logreg": results[1].classifier}
    rows = [replace(row, classifier=of_classifier[row.classifier]) for row in predictions]
    file = tmp_path / "report.html"
    file.write_text(render(replace(run, results=results), rows, None), encoding="utf-8")
    for page in opened(browser, file.as_uri(), {"width": width, "height": 900}, "light"):
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
