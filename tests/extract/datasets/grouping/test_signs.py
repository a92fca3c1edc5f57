"""Signs of groups: what is suggested, and what must not be."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from extract import load_dataset
from extract.datasets.dataset import Dataset, Item
from extract.datasets.grouping.patterns import groups_by_pattern
from extract.datasets.grouping.signs import burst_sign, group_signs
from extract.datasets.layouts import read_dataset
from extract.datasets.overview import look_over
from extract.images.properties.exif import Capture, read_capture
from tests.extract.datasets.grouping.samples import make, patients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

R = random.Random(0)
TWO = ("a", "b")


def dataset(names: Iterable[str], label: Callable[[str], str]) -> Dataset:
    items = [Item(Path("/d") / name, label(name), None) for name in sorted(set(names))]
    return Dataset("d", Path("/d"), tuple(items))


def first_folder(name: str) -> str:
    return name.partition("/")[0]


def species(name: str) -> str:
    return "cat" if name[0].isupper() else "dog"


COUNTERS = {
    "dogs-vs-cats": ([f"{k}.{i}.jpg" for k in ("cat", "dog") for i in range(60)],
                     lambda name: name.partition(".")[0]),
    "dogs-vs-cats in folders": ([f"{k}s/{k}.{i}.jpg" for k in ("cat", "dog") for i in range(60)],
                                first_folder),
    "Oxford pets by breed": ([f"{k}_{i}.jpg" for k in ("Abyssinian", "great_pyrenees")
                              for i in range(60)], lambda name: name.rpartition("_")[0]),
    "Oxford pets by species": ([f"{k}_{i}.jpg" for k in ("Abyssinian", "Bengal", "pug", "beagle",
                                "great_pyrenees") for i in range(60)], species),
    "a telephone": ([f"{k}/IMG_{i:04}.jpg" for k in TWO for i in range(60)], first_folder),
    "a camera with folders": ([f"{k}/10{i // 100}_{i:04}.jpg" for k in TWO for i in range(600)],
                              first_folder),
    "numbers": ([f"{k}/{i}.jpg" for k in TWO for i in range(60)], first_folder),
    "numbers of classes": ([f"{k}/{k}_{i:05}.png" for k in "0123456789" for i in range(20)],
                           first_folder),
    "synsets": ([f"{k}/{k}_{R.randrange(30000)}.jpg" for k in ("n01440764", "n02085620")
                 for _ in range(60)], first_folder),
    "synsets below classes": ([f"{k}/n0{k}{j}44076_{R.randrange(9999)}.jpg" for k in "12"
                               for j in range(3) for _ in range(60)], first_folder),
    "angles": ([f"{k}/{turned}{i}_100.jpg" for k in TWO for turned in ("", "r_")
                for i in range(60)], first_folder),
    "random names": ([f"{k}/{R.randrange(16**8):08x}-{R.randrange(16**4):04x}.jpg" for k in TWO
                      for _ in range(60)], first_folder),
    "copies": ([f"{k}/cat ({i}).jpg" for k in TWO for i in range(60)], first_folder),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTERS)
def test_plain_counters_and_classes_are_not_suggested(name: str) -> None:
    names, label = COUNTERS[name]
    assert group_signs(dataset(names, label)) == []


def of_two(k: str, n: int) -> range:
    """Return the numbers of the patients of a class; no other class has them."""
    return range(n * TWO.index(k), n * (TWO.index(k) + 1))


GROUPS = {
    "patient12_scan3": ([f"{k}/patient{p}_scan{s}.png" for k in TWO for p in of_two(k, 10)
                         for s in range(4)], "names up to the last underscore", 20, True),
    "plantA-leaf-07": ([f"{k}/plant{p}-leaf-{s:02}.jpg" for k in TWO for p in "ABCDE"
                        for s in range(4)], "names up to the last hyphen", 5, True),
    "0012_c1_f0034": ([f"{k}/{p:04}_c{c}_f{R.randrange(9999):04}.jpg" for k in TWO
                       for p in range(9) for c in range(3) for _ in range(4)],
                      "names up to the first underscore", 9, False),
    "frames of videos": ([f"{k}/video{p}_frame_{s:04}.jpg" for k in TWO for p in of_two(k, 4)
                          for s in range(20)], "names up to the last underscore", 8, True),
    "left and right eyes": ([f"{k}/{p}_{s}.jpeg" for k in TWO for p in of_two(k, 20)
                             for s in ("left", "right")], "names up to the last underscore", 40,
                            True),
    "letters after numbers": ([f"{k}/{p}{s}.jpg" for k in TWO for p in of_two(k, 20)
                               for s in "abc"], "names without the last letter", 40, True),
    "tiles of slides": ([f"{k}/slide{p}_x{x}_y{y}.png" for k in TWO for p in of_two(k, 5)
                         for x in range(3) for y in range(3)], "names up to the first underscore",
                        10, True),
    "days": ([f"{k}/IMG-202305{d:02}-WA{i:04}.jpg" for k in TWO for d in range(1, 13)
              for i in range(5)], "names up to the last hyphen", 12, False),
    "dots": ([f"{k}/cow{p}.side.{i}.jpg" for k in TWO for p in of_two(k, 6) for i in range(4)],
             "names up to the last dot", 12, True),
}  # fmt: skip


@pytest.mark.parametrize("name", GROUPS)
def test_counters_of_a_group_are_suggested_with_a_pattern_that_finds_it(name: str) -> None:
    names, what, n_groups, is_strong = GROUPS[name]
    data = dataset(names, first_folder)
    (sign,) = group_signs(data)
    assert (sign.what, sign.n_groups, sign.is_strong) == (what, n_groups, is_strong)
    assert sign.sentence() == (f"{len(data)} images seem to come in {n_groups} groups ({what})")
    assert sign.setting == "group_by"
    assert sign.value is not None
    paths = [data.relative(item.path) for item in data.items]
    assert groups_by_pattern(paths, sign.value) == [sign.groups[item.path] for item in data.items]


def test_names_that_are_the_label_are_no_groups_but_their_parts_are() -> None:
    """As where each person is a class: cameras are groups inside it."""
    names = [f"{p:04}_c{c}_{i}.jpg" for p in range(6) for c in range(3) for i in range(4)]
    (sign,) = group_signs(dataset(names, lambda name: name[:4]))
    assert sign.what == "names up to the last underscore"
    assert sign.n_groups == 18


@pytest.mark.parametrize(
    ("names", "value", "n_groups"),
    [
        ([f"{k}/{k}{i}/{j}.jpg" for k in TWO for i in range(8) for j in range(3)], "folder", 16),
        ([f"{k}/p{i}/study{j}/view.jpg" for k in TWO for i in of_two(k, 8) for j in range(3)],
         "folder", 16),
        ([f"{k}/p{i}/{j}.jpg" for k in ("a/x", "a/y", "b/z") for i in range(8) for j in range(3)],
         "(.*)/[^/]+$", 24),
    ],
)  # fmt: skip
def test_folders_below_the_classes_are_suggested(
    names: list[str], value: str, n_groups: int
) -> None:
    (sign,) = group_signs(dataset(names, first_folder))
    assert (sign.setting, sign.value, sign.n_groups) == ("group_by", value, n_groups)


def test_a_column_whose_values_repeat_is_suggested_and_can_be_taken(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(24)]
    folder = make(tmp_path / "data", names)
    rows = [f"{name},{'ab'[i % 2]},s{i // 4},{i},{i % 3}" for i, name in enumerate(names)]
    (folder / "all.csv").write_text("\n".join(["path,label,subject,visit,camera_model", *rows]))
    data = load_dataset(folder / "all.csv", cache=tmp_path / "cache")
    signs = [sign for sign in group_signs(data) if sign.setting == "group_column"]
    assert [sign.value for sign in signs] == ["subject"]
    assert (
        "24 images seem to come in 6 groups (column subject); to keep each of them on one side of "
        "the split, set group_column to 'subject'."
    ) in data.layout.remarks
    assert (
        load_dataset(
            folder / "all.csv", group_column="subject", cache=tmp_path / "cache"
        ).n_groups()
        == 6
    )


def test_a_strong_sign_is_a_remark_unless_groups_are_off(tmp_path: Path) -> None:
    folder = make(tmp_path / "data", patients())
    remarks = load_dataset(folder, cache=tmp_path / "cache").layout.remarks
    assert remarks == (
        "36 images seem to come in 12 groups (names up to the last underscore); to keep each of "
        "them on one side of the split, set group_by to '([^/]+)_[^/_]*$'.",
    )
    off = load_dataset(folder, group_by="none", cache=tmp_path / "cache")
    assert off.layout.remarks == ()


@pytest.mark.parametrize(("n_groups", "n"), [(2000, 3), (4, 1500)])
def test_signs_are_looked_for_in_a_sample_of_many_images(n_groups: int, n: int) -> None:
    """All of them are counted, small groups and long films."""
    names = [f"{k}/{k}{p:05}_{s}.png" for k in TWO for p in range(n_groups) for s in range(n)]
    (sign,) = group_signs(dataset(names, first_folder))
    assert (len(sign.groups), sign.n_groups) == (2 * n_groups * n, 2 * n_groups)


def photograph(camera: str, time: datetime | str, serial: str = "") -> bytes:
    """Return a JPEG with EXIF data."""
    exif = Image.Exif()
    exif[0x0110] = camera
    stamp = time if isinstance(time, str) else f"{time:%Y:%m:%d %H:%M:%S}"
    exif.get_ifd(0x8769).update({0x9003: stamp, 0xA431: serial})
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    return file.getvalue()


NOON = datetime(2023, 5, 17, 12, 0, 0, tzinfo=UTC)


def test_the_camera_and_the_time_of_a_photograph_are_read() -> None:
    assert read_capture(photograph("Canon  EOS\0", NOON, "123")) == Capture("Canon EOS 123", NOON)
    long = read_capture(photograph("x" * 9000, NOON))
    assert long == Capture("x" * 64, NOON)


def test_what_does_not_say_when_and_by_which_camera_says_nothing() -> None:
    """Nor does a damaged block of EXIF data."""
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "JPEG")
    whole = photograph("Canon", NOON)
    assert read_capture(plain.getvalue()) is None
    assert read_capture(photograph("", NOON)) is None
    assert read_capture(photograph("Canon", "0000:00:00 00:00:00")) is None
    assert read_capture(b"no image") is None
    start = whole.index(b"Exif\0\0")
    for i in range(start, start + 120):
        read_capture(whole[:i] + b"\xff" + whole[i + 1 :])


def captures(n_bursts: int, n: int, gap: float, camera: str = "Canon") -> dict[Path, Capture]:
    """Return bursts a minute apart of so many photographs, with seconds between them."""
    return {
        Path(f"{camera}{i}-{j}.jpg"): Capture(
            camera, NOON + timedelta(minutes=i) + timedelta(seconds=j * gap)
        )
        for i in range(n_bursts)
        for j in range(n)
    }


def test_photographs_of_one_camera_within_seconds_are_a_burst() -> None:
    """Those of another camera at the same time are another one."""
    sign = burst_sign(captures(5, 3, 2.0) | captures(5, 3, 2.0, "Nikon"))
    assert sign is not None
    assert (len(sign.groups), sign.n_groups) == (30, 10)
    assert sign.groups[Path("Canon0-2.jpg")] == "Canon 2023-05-17 12:00:00"
    assert sign.what == "taken by one camera within 10 s of the one before"


def test_an_overview_names_bursts(tmp_path: Path) -> None:
    """It has read the headers anyway; without the wish for groups, nothing is looked for."""
    for i in range(24):
        path = tmp_path / "data" / "ab"[i % 2] / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photograph("Canon", NOON + timedelta(seconds=i // 3 * 60 + i % 3)))
    data = read_dataset(tmp_path / "data")
    (sign,) = look_over(data).signs
    assert (sign.setting, sign.value, sign.n_groups) == ("groups", None, 8)
    assert look_over(data, find_groups=False).signs == ()


@pytest.mark.parametrize(
    "found",
    [captures(5, 3, 15.0), captures(20, 1, 1.0), captures(1, 30, 1.0), captures(3, 3, 2.0), {}],
)
def test_photographs_minutes_apart_or_all_at_one_time_are_none(
    found: dict[Path, Capture],
) -> None:
    assert burst_sign(found) is None
