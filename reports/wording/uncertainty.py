"""How the intervals and comparisons of a run were computed, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.wording import plural

if TYPE_CHECKING:
    from reports.records import Data

FEW_GROUPS = 10
"""With fewer groups of test images, intervals are rough."""
_ONE_GROUP = "all test images are of one group, which does not show how groups differ"


def interval_method(data: Data) -> str:
    """Say how the 95% intervals of a run were computed.

    Examples
    --------
    >>> from reports.records import Data
    >>> interval_method(Data("pets", "", ["cat", "dog"], [80, 80], [20, 20], "given", "5f0c"))
    '95% Wilson intervals'
    """
    if not data.by_groups:
        return "95% Wilson intervals"
    if data.test_groups == 1:
        return f"no 95% intervals: {_ONE_GROUP}"
    return f"95% intervals by a bootstrap over {_groups(data)}"


def comparison_method(data: Data) -> str:
    """Say how the classifiers of a run were compared."""
    if not data.by_groups:
        return "McNemar's exact test on the same test images"
    if data.test_groups == 1:
        return f"No test: {_ONE_GROUP}"
    return f"Exact permutation test on the same {_groups(data)}"


def group_sentences(data: Data) -> list[str]:
    """Say that intervals are by groups, and where they are rough; nothing without groups.

    Examples
    --------
    >>> from reports.records import Data
    >>> data = Data("pets", "", ["cat"], [80], [20], "given", "5f0c", test_groups=4, by_groups=True)
    >>> print(" ".join(group_sentences(data)))  # doctest: +NORMALIZE_WHITESPACE
    95% interval by a bootstrap over 4 groups of test images: images of one group resemble each
    other and tell less than as many separate ones. So few groups make the interval rough; it may be
    too narrow.
    """
    if not data.by_groups:
        return []
    if data.test_groups == 1:
        return [f"The 95% interval says nothing: {_ONE_GROUP}. Test on several groups."]
    sentences = [
        f"95% interval by a bootstrap over {_groups(data)}: images of one group "
        "resemble each other and tell less than as many separate ones."
    ]
    if data.test_groups is not None and data.test_groups < FEW_GROUPS:
        sentences.append("So few groups make the interval rough; it may be too narrow.")
    return sentences


def cut_sentences(data: Data) -> list[str]:
    """Warn of a given split that cuts through groups; nothing if it does not.

    Examples
    --------
    >>> from reports.records import Data
    >>> data = Data("pets", "", ["cat"], [80], [20], "given", "5f0c", groups=9, cut_groups=4,
    ...             cut_test_images=15)
    >>> print(" ".join(cut_sentences(data)))  # doctest: +NORMALIZE_WHITESPACE
    15 of 20 test images belong to groups that are trained on, because the given split cuts through
    4 groups: on images of new groups, the accuracy is probably lower.
    """
    if not data.cut_groups:
        return []
    belong = "belongs" if data.cut_test_images == 1 else "belong"
    return [
        f"{data.cut_test_images:,} of {plural(sum(data.test_counts), 'test image')} {belong} to "
        "groups that are trained on, because the given split cuts through "
        f"{plural(data.cut_groups, 'group')}: on images of new groups, the accuracy is probably "
        "lower."
    ]


def _groups(data: Data) -> str:
    return f"{plural(data.test_groups or 0, 'group')} of test images"
