"""Which frozen base is chosen, by what, and what is refused."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cache.store import Store
from classify.choosing.choice import choose_backbone
from classify.choosing.sample import LEAST, draw_sample
from classify.errors import ClassifierError
from extract.backbones.listing import TRIED, candidates
from extract.datasets.dataset import Dataset, Item
from extract.datasets.drawing import draw as draw_of
from extract.errors import WeightsError
from extract.frozen import FrozenBase
from extract.images.hashing import hash_images
from extract.options import BaseSettings, DataSettings, Options
from extract.prepare import find_dataset, prepare
from reports.reading import read_record
from reports.wording.backbones import choice_sentences
from tests.commands import run_command
from tests.extract.backbones.onnx_networks import write
from toolkit.progress import silent

N_IMAGES = 120


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with light and dark pictures, and networks of which one sees the light."""
    write(tmp_path / "seeing.onnx")
    write(tmp_path / "blind.onnx", sees_light=False)
    rng = np.random.default_rng(0)
    for i in range(N_IMAGES):
        label, light = ("dark", 110) if i % 2 else ("light", 140)
        draw(tmp_path / "pictures" / label / f"{i}.png", light, rng)
    return tmp_path


def draw(path: Path, light: Any, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.clip(rng.normal(light, 20, (20, 20, 3)), 0, 255).astype(np.uint8)
    cv2.imwrite(str(path), picture)


def options_for(home: Path, names: str, **settings: Any) -> list[Options]:
    base = BaseSettings(names, preprocess="imagenet", cache=home / "cache")
    options = Options(data=str(home / "pictures"), base=base, **settings)
    return options.for_each_backbone()


def choose(options: list[Options], **settings: Any) -> Any:
    return choose_backbone(
        find_dataset(options[0]), options, **{"n_images": 60, "progress": silent, **settings}
    )


def both(home: Path, **settings: Any) -> list[Options]:
    return options_for(home, f"{home / 'blind.onnx'},{home / 'seeing.onnx'}", **settings)


def test_the_most_accurate_one_is_chosen(home: Path) -> None:
    options, _, choice = choose(both(home))
    assert choice.chosen == Path(options.base.backbone).name == "seeing.onnx"
    assert choice.images == 60
    assert choice["seeing.onnx"].accuracy == 1.0
    assert choice["blind.onnx"].accuracy < 0.8
    assert not choice["blind.onnx"].as_good
    for judged in choice.judged:
        low, high = judged.interval
        assert 0 <= low <= judged.accuracy <= high <= 1
        assert judged.embedding_bytes == 5 * 4
        assert judged.missing == N_IMAGES - 60
        assert judged.seconds == pytest.approx(60 / judged.images_per_second)


def test_candidates_that_are_no_better_than_a_constant_are_said_to_be_so(home: Path) -> None:
    *_, choice = choose(both(home))
    assert not any("most frequent class" in line for line in choice_sentences(choice))
    judged = [replace(base, interval=[0.5, 0.9]) for base in choice.judged]
    choice = replace(choice, judged=judged)
    assert choice.most_frequent == 0.5
    (line,) = (line for line in choice_sentences(choice) if "most frequent class" in line)
    assert "even seeing.onnx is not shown to be better" in line


def test_what_cannot_be_told_apart_is_noted(home: Path) -> None:
    write(home / "also.onnx", outputs=["pixels"])
    names = f"{home / 'also.onnx'},{home / 'seeing.onnx'}"
    *_, choice = choose(options_for(home, names))
    assert [judged.as_good for judged in choice.judged if judged.backbone != choice.chosen] == [
        True
    ]


def test_no_test_image_is_looked_at(home: Path) -> None:
    """Even if some training images turn out to be unusable, which moves the border of the split."""
    options = both(home, test_size=0.4)
    dataset = find_dataset(options[0])
    for item in dataset.items[:20]:
        spoil(item.path)
    _, dataset, _ = choose_backbone(dataset, options, n_images=60, progress=silent)
    store = Store(home / "cache")
    digests, _ = hash_images([item.path for item in dataset.items], store)
    known = list(digests.values())
    for one in options:
        fingerprint = FrozenBase.choose(one.base).recipe.fingerprint
        embedded = set(known) - set(store.missing(fingerprint, known))
        prepared = prepare(dataset, one)
        assert not embedded & set(prepared.digests("test"))
        assert len(embedded & set(prepared.digests("train"))) == len(embedded) > 30


def spoil(path: Path) -> None:
    """Write what is no image, but would be in the test split."""
    contents = (f"{path} {i}".encode() for i in itertools.count())
    path.write_bytes(
        next(data for data in contents if draw_of(hashlib.sha256(data).hexdigest(), 0) < 0.1)
    )


def test_the_sample_is_stratified_and_without_copies() -> None:
    items = [
        Item(Path(f"{i}.png"), "rare" if i < 15 else "common", "test" if i % 5 == 0 else "train")
        for i in range(1000)
    ]
    dataset = Dataset("drawn", Path(), tuple(items))
    digests = {item.path: f"{i // 2:064x}" for i, item in enumerate(items)}
    sample = draw_sample(dataset, digests, 100, seed=0)
    counts = sample.class_counts()
    assert {item.split for item in sample.items} == {"train"}
    assert len({digests[item.path] for item in sample.items}) == len(sample.items)
    assert sum(item.label == "rare" for item in sample.items) == min(
        LEAST, len({digests[item.path] for item in items[:15] if item.split == "train"})
    )
    assert abs(sum(item.label == "common" for item in sample.items) - 100) <= 2, counts
    assert draw_sample(dataset, digests, 100, seed=1) != sample


def test_groups_stay_together(tmp_path: Path) -> None:
    """The pictures of a patient are nearly the same, and nothing in them tells the label."""
    rng = np.random.default_rng(1)
    write(tmp_path / "seeing.onnx", outputs=["pixels"])
    rows = ["path,label,patient"]
    for group in range(24):
        label = ("ill", "well")[rng.integers(2)] if group > 3 else ("ill", "well")[group % 2]
        patient = rng.normal(128, 40, (20, 20, 3))
        for i in range(6):
            draw(tmp_path / "pictures" / f"{group}-{i}.png", patient, rng)
            rows.append(f"{group}-{i}.png,{label},{group}")
    (tmp_path / "pictures" / "labels.csv").write_text("\n".join(rows))
    accuracies = []
    for column in (None, "patient"):
        options = options_for(
            tmp_path, str(tmp_path / "seeing.onnx"), data_settings=DataSettings(group_column=column)
        )
        options = [replace(one, base=replace(one.base, pooling="none")) for one in options]
        *_, choice = choose(options, n_images=200)
        accuracies.append(choice["seeing.onnx"].accuracy)
    assert accuracies[0] > 0.9 > 0.7 > accuracies[1]


def test_the_budget_counts_what_the_cache_lacks(home: Path) -> None:
    blind, seeing = both(home)
    prepare(find_dataset(blind), blind)
    *_, choice = choose([blind, seeing], budget=0.0)
    assert choice.chosen == "blind.onnx"
    assert choice["blind.onnx"].seconds == 0
    with pytest.raises(ClassifierError, match=r"within 0 ms: the fastest, seeing.onnx, needs"):
        choose([seeing], budget=0.0)


def test_a_base_that_has_the_sample_is_still_measured(home: Path) -> None:
    _, seeing = both(home)
    choose([seeing])
    *_, choice = choose([seeing])
    assert choice["seeing.onnx"].images_per_second is not None
    assert choice["seeing.onnx"].missing == N_IMAGES // 5  # the others have been measured on


def test_candidates_without_weights_are_left_out_with_the_reason(
    home: Path, no_keras_storage: Path
) -> None:
    options = options_for(home, f"mobilenet,{home / 'seeing.onnx'}")
    *_, choice = choose(options, skip_missing=True)
    assert choice.chosen == "seeing.onnx"
    assert "cannot be reached" in choice.left_out["mobilenet"]


def test_candidates_that_were_named_need_weights(home: Path, no_keras_storage: Path) -> None:
    """Which is found before anything is computed."""
    with pytest.raises(WeightsError, match=r"mobilenet: .*cannot be reached"):
        choose(options_for(home, f"{home / 'seeing.onnx'},mobilenet"))
    assert Store(home / "cache").recipes() == []


def test_candidates_are_those_on_disk_and_a_few_more(
    tmp_path: Path, no_keras_storage: Path
) -> None:
    assert candidates(tmp_path) == sorted(TRIED, key=candidates(tmp_path).index)
    (no_keras_storage / "models").mkdir(parents=True, exist_ok=True)
    (no_keras_storage / "models" / "xception_weights_tf_dim_ordering_tf_kernels_notop.h5").touch()
    assert "xception" in candidates(tmp_path)


def test_a_command_chooses_and_goes_on(home: Path) -> None:
    command = (
        "classify", "--data", "pictures", "--backbone", "blind.onnx,seeing.onnx", "--choose", "60",
        "--preprocess", "imagenet", "--cache", "cache", "--clf", "logreg", "--out",
    )  # fmt: skip
    done = run_command(*command, "run", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "seeing.onnx was chosen: the most accurate in cross-validation" in done.stdout
    choice = read_record(home / "run").backbone_choice
    assert choice is not None
    assert (choice.chosen, len(choice.judged)) == ("seeing.onnx", 2)
    page = (home / "run" / "report.html").read_text(encoding="utf-8")
    assert "How the backbone was chosen" in page
    assert page.count("blind.onnx") > 0
    recorded = json.loads((home / "run" / "run.json").read_text())
    assert [base["backbone"] for base in recorded["bases"]] == ["seeing.onnx"]
    done = run_command(*command, "again", "--json", cwd=home)
    summary = json.loads(done.stdout)
    done = run_command(*command, "again", cwd=home)
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert "cross-validation" not in done.stderr
    assert summary["computed"] == 0
    assert summary["backbone_choice"]["chosen"] == "seeing.onnx"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backbone", "vgg16", "--choose"], "nothing to choose from"),
        (["--backbone", "vgg16", "--budget", "1min"], "a budget is for choosing"),
        (["--backbone", "auto", "--weights", "vgg16.h5"], "every backbone has its own weights"),
        (["--backbone", "vgg16,mobilenet", "--choose", "--budget", "soon"], "a duration like 90s"),
    ],
)
def test_options_that_do_not_suit_are_refused(home: Path, options: list[str], message: str) -> None:
    done = run_command("classify", "--data", "pictures", *options, cwd=home)
    assert done.returncode == 2
    assert message in done.stderr


def test_extract_refuses_to_choose(home: Path) -> None:
    done = run_command("extract", "--data", "pictures", "--backbone", "auto", cwd=home)
    assert done.returncode == 2
    assert "python -m classify --backbone auto" in done.stderr
