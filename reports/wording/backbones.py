"""The choice of a frozen base in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.wording.text import duration, figure
from toolkit.wording import plural

if TYPE_CHECKING:
    from reports.records import BackboneChoice


def choice_sentences(choice: BackboneChoice) -> list[str]:
    """Return why a backbone was chosen, and what should be known about it.

    Examples
    --------
    >>> from reports.records import BackboneChoice, JudgedBackbone
    >>> judged = [
    ...     JudgedBackbone("vgg16", 0.98, [0.97, 0.99], 0.05, 32768, 9000, 15.0),
    ...     JudgedBackbone("mobilenet", 0.97, [0.95, 0.98], 0.09, 4096, 9000, 150.0, as_good=True),
    ... ]
    >>> _, second = choice_sentences(BackboneChoice("mobilenet", 600, judged, budget=120.0))
    >>> second
    'more accurate, but not within the budget: vgg16 (0.980, 10 min 0 s)'
    """
    chosen = choice[choice.chosen]
    fits = (
        "" if choice.budget is None else f"of those that fit the budget of {_time(choice.budget)}, "
    )
    ties = sum(judged.accuracy == chosen.accuracy for judged in choice.judged) > 1
    why = "of the most accurate the one with the lowest log loss" if ties else "the most accurate"
    sentences = [
        f"{choice.chosen} was chosen: {fits}{why} in cross-validation on "
        f"{plural(choice.images, 'training image')}"
        if len(choice.judged) > 1
        else f"{choice.chosen} was the only candidate, and was judged by cross-validation on "
        f"{plural(choice.images, 'training image')}"
    ]
    if choice.most_frequent is not None and chosen.interval[0] <= choice.most_frequent:
        sentences.append(
            f"even {choice.chosen} is not shown to be better than naming the most frequent class "
            f"every time ({figure(choice.most_frequent)}): the sample may be too small, or the "
            "images may not show what the labels say"
        )
    better = [
        f"{judged.backbone} ({figure(judged.accuracy)}, {_time(judged.seconds)})"
        for judged in choice.judged
        if judged.accuracy > chosen.accuracy
    ]
    if better:
        sentences.append(f"more accurate, but not within the budget: {', '.join(better)}")
    equal = [
        judged.backbone
        for judged in choice.judged
        if judged.as_good
        and judged.backbone != choice.chosen
        and judged.accuracy <= chosen.accuracy
    ]
    if equal:
        sentences.append(
            f"{plural(choice.images, 'image')} cannot tell it from {' or '.join(equal)} (p >= 0.05)"
        )
    sentences += [f"left out: {name}: {reason}" for name, reason in choice.left_out.items()]
    return sentences


def choice_table(choice: BackboneChoice) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table of all candidates, the most accurate first."""
    header = [
        "backbone", "accuracy", "95% interval", "log loss", "images/s", "bytes", "time for the rest"
    ]  # fmt: skip
    ordered = sorted(choice.judged, key=lambda judged: (-judged.accuracy, judged.log_loss))
    rows = [
        [
            judged.backbone,
            figure(judged.accuracy),
            "{:.3f} to {:.3f}".format(*judged.interval),
            figure(judged.log_loss),
            "-" if judged.images_per_second is None else f"{judged.images_per_second:.3g}",
            f"{judged.embedding_bytes:,}",
            "cached" if not judged.missing else _time(judged.seconds),
        ]
        for judged in ordered
    ]
    return header, rows


def _time(seconds: float | None) -> str:
    return "unknown" if seconds is None else duration(seconds)
