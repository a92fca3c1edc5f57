"""The page to review labels: what it says about the run, and that names stay text."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

from reports.pages.review import render_review
from reports.records import Audit, Run
from tests.reports.samples import sample

RUN, _ = sample(["cats", "<b>\u202edogs"])
KINDS = {"suspect": "Suspect labels"}


def page(run: Run = RUN, command: str = "python -m classify") -> str:
    return render_review(run, run.results[0], run.data.classes, KINDS, command)


def config(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="config">(.*?)</script>', text)
    assert found is not None
    return json.loads(found[1])


def test_classes_and_commands_are_text() -> None:
    """With invisible characters made visible."""
    text = page(command="python -m classify --data '<i>x'")
    assert config(text) == {
        "classes": ["cats", "<b>\\u202edogs"],
        "kinds": [list(pair) for pair in KINDS.items()],
        "aspect": "stretch",
    }
    assert "<b>" not in text
    assert "<i>" not in text
    assert "&lt;i&gt;x" in text


def test_a_run_without_an_audit_is_told_what_adds_the_other_images() -> None:
    assert "Run classify again with --audit" in page()
    audited = dataclasses.replace(RUN, audit=Audit([], [], [], {}, 1.0))
    assert "--audit" not in page(audited)


def test_only_the_script_of_the_page_may_run() -> None:
    assert "script-src 'sha256-" in page().partition("</head>")[0]
