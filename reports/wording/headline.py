"""The answer of a run in one sentence, with the remarks that belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.wording.baselines import baseline_sentences
from reports.wording.choice import chosen_sentence, lucky_sentence
from reports.wording.decision import decision_sentences
from reports.wording.differences import ties_sentence
from reports.wording.shortcuts import properties_sentences
from reports.wording.text import count, join_names, percent
from reports.wording.uncertainty import cut_sentences, group_sentences
from reports.wording.ungrouped import ungrouped_sentence
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records import Result, Run


@dataclass(frozen=True)
class Headline:
    """The classifier that was chosen on the training split, and how it compares."""

    title: str
    share: str
    """Accuracy in percent; `low` and `high` are its 95% interval."""
    n_test: int
    low: str
    high: str
    remarks: list[str]

    @property
    def tested(self) -> str:
        """The number of test images, with its noun."""
        return plural(self.n_test, "test image")

    @property
    def sentence(self) -> str:
        """The headline as plain text."""
        return (
            f"{self.title}: {self.share} of {self.tested} correct "
            f"(95% interval {self.low} to {self.high})."
        )


def headline(run: Run, results: Sequence[Result]) -> Headline | None:
    """Return the headline of a run, or None if it has no results.

    Parameters
    ----------
    run : Run
    results : sequence of Result
        Its results, ranked.
    """
    if not results:
        return None
    best = results[0]
    ungrouped = ungrouped_sentence(run)
    remarks = [ungrouped] if ungrouped else []
    remarks += [chosen_sentence(run, best)] if len(results) > 1 else []
    comparison = ties_sentence(run, best, results)
    rivals = [r.title for r in results[1:] if r.accuracy_high >= best.accuracy_low]
    if comparison:
        remarks.append(comparison)
    elif rivals:
        theirs = "those" if len(rivals) > 1 else "that"
        remarks.append(
            f"Its interval overlaps with {theirs} of {join_names(rivals)}: "
            "the difference may be chance."
        )
    lucky = lucky_sentence(best, results)
    if lucky:
        remarks.append(lucky)
    remarks += [*cut_sentences(run.data), *group_sentences(run.data)]
    remarks += decision_sentences(run)
    remarks += _audit_sentences(run, best)
    remarks += properties_sentences(run)
    remarks += baseline_sentences(run, results)
    return Headline(
        title=best.title,
        share=percent(best.accuracy),
        n_test=best.n_test,
        low=percent(best.accuracy_low),
        high=percent(best.accuracy_high),
        remarks=remarks,
    )


def _audit_sentences(run: Run, best: Result) -> list[str]:
    """Say what an audit has found that makes the accuracy doubtful."""
    if run.audit is None:
        return []
    said, n_leaks = [], len(run.audit.leaks)
    without = run.audit.accuracies_without_leaks.get(best.classifier)
    if n_leaks:
        look, them = (
            ("looks like a training image", "it")
            if n_leaks == 1
            else ("look like training images", "them")
        )
        rest = "" if without is None else f"; without {them}, the accuracy is {percent(without)}"
        said.append(f"{plural(n_leaks, 'test image')} {look}{rest}.")
    if run.audit.wrong_labels:
        are = "is" if run.audit.wrong_labels == 1 else "are"
        labels = plural(run.audit.judged_labels, "label")
        said.append(f"About {count(run.audit.wrong_labels)} of {labels} {are} probably wrong.")
    return said
