"""What the record of a run holds about its data as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Data:
    """The images of a run: their classes, their number in each split, and their folder."""

    name: str
    root: str
    classes: list[str]
    train_counts: list[int]
    test_counts: list[int]
    split: str
    """How the test split was made, in words."""
    fingerprint: str
    """Of the images' contents, labels, splits and groups."""
    layout: str = "given"
    """How the files were understood, in a word."""
    layout_description: str = ""
    """The same for people."""
    passed_over: dict[str, int] = field(default_factory=dict)
    """Reason -> number of files or folders that were not used for it."""
    remarks: list[str] = field(default_factory=list)
    """What was guessed about the data or looks odd."""
    image_fingerprint: str | None = None
    """Of the images' contents alone; None without images, and in records of earlier versions."""
    label_fingerprint: str | None = None
    """Of their contents and labels."""
    group_origin: str | None = None
    """Where the groups come from, in words; None without groups, and in earlier records."""
    groups: int | None = None
    """Number of groups; an image without one is its own. None without groups."""
    train_groups: int | None = None
    test_groups: int | None = None
    cut_groups: int = 0
    """Number of groups that are on both sides of the split, which only a given one can do."""
    cut_test_images: int = 0
    """Number of test images in these groups."""
    relabelled: list[str] = field(default_factory=list)
    """Paths of the test images whose label was corrected; empty in earlier records."""
    by_groups: bool = False
    """Whether intervals and comparisons are by the `test_groups`; not in earlier records."""


@dataclass(frozen=True)
class Quarantined:
    """A file that was not used, and why."""

    path: str
    reason: str
