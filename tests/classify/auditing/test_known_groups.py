"""What an audit knows of groups before it looks at copies."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from classify.auditing.known_groups import known_groups
from extract.datasets.dataset import Dataset, Item


def test_groups_of_the_data_are_taken_before_any_sign() -> None:
    """An image without a group is not listed."""
    items = (
        Item(Path("d/p1_a.png"), "cat", "train", "tom"),
        Item(Path("d/p1_b.png"), "cat", "train", "tom"),
        Item(Path("d/p2_a.png"), "cat", "train"),
    )
    groups, origin = known_groups(Dataset("d", Path("d"), items, group_origin="column cat"))
    assert (groups, origin) == ({"p1_a.png": "tom", "p1_b.png": "tom"}, "column cat")


def test_names_are_a_sign_of_groups() -> None:
    """Each with a number and a counter that begins again."""
    items = tuple(
        Item(Path(f"d/{label}/{label[0]}{individual:02}_view{view}.jpg"), label, "train")
        for label in ("cats", "dogs")
        for individual in range(10)
        for view in range(4)
    )
    groups, origin = known_groups(Dataset("d", Path("d"), items))
    assert origin == "names up to the last underscore"
    assert len(groups) == 80
    assert len(set(groups.values())) == 20


def test_images_of_one_burst_seem_to_be_a_group(tmp_path: Path) -> None:
    """By camera and second; a file that says neither, and one that is gone, have no group."""
    items = []
    for burst in range(6):
        for shot in range(3):
            path = tmp_path / f"IMG_{burst * 100 + shot * 7:04}.jpg"
            exif = Image.Exif()
            exif[0x010F] = "Maker"
            exif.get_ifd(0x8769)[0x9003] = f"2026:05:0{burst + 1} 10:00:0{shot}"
            Image.new("RGB", (8, 8)).save(path, exif=exif)
            items.append(Item(path, "cats" if burst % 2 else "dogs", "train"))
    (tmp_path / "no.jpg").write_text("no image")
    items += [Item(tmp_path / name, "cats", "train") for name in ("no.jpg", "gone.jpg")]
    groups, origin = known_groups(Dataset("d", tmp_path, tuple(items)))
    assert "one camera" in origin
    assert len(groups) == 18
    assert len(set(groups.values())) == 6


def test_counters_alone_are_no_groups() -> None:
    """As in the lesson's data."""
    items = tuple(Item(Path(f"d/cat.{i}.jpg"), "cat", "train") for i in range(40))
    assert known_groups(Dataset("d", Path("d"), items)) == ({}, "")
