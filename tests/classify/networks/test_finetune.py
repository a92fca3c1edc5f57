"""Fine-tuning on cached activations."""

from __future__ import annotations

import csv
import hashlib
import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from sklearn.metrics import log_loss

from classify import persistence
from classify.errors import ClassifierError
from classify.estimators.logreg import LogReg
from classify.networks import finetune
from classify.networks.finetune import FineTune
from extract.backbones.catalog import construct
from extract.backbones.freezing import find_freeze_point, unfrozen_part
from extract.errors import RecipeError
from tests.commands import run_command
from toolkit.libraries import import_keras

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 48

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of small pictures, and random weights."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    for label, brightness in (("bright", 120), ("dark", 0)):
        (home / "pictures" / label).mkdir(parents=True)
        for i in range(12):
            picture = rng.integers(0, 130, (SIZE, SIZE, 3)) + brightness
            cv2.imwrite(str(home / "pictures" / label / f"{i}.png"), picture.astype(np.uint8))
    import_keras().utils.set_random_seed(0)
    np.savez(home / "vgg16.npz", *construct("vgg16", SIZE).get_weights())
    return home


@pytest.mark.parametrize(
    ("backbone", "unfreeze", "layer", "first"),
    [
        ("vgg16", "block5_conv3", "block5_conv2", "block5_conv3"),
        ("vgg16", "1", "block5_conv2", "block5_conv3"),
        ("vgg16", "3", "block4_pool", "block5_conv1"),
        ("resnet50", "conv5_block3_1_conv", "conv5_block2_out", "conv5_block3_1_conv"),
        ("resnet50", "conv5_block3_2_conv", "conv5_block2_out", "conv5_block3_2_conv"),
    ],
)
def test_the_cut_is_the_highest_that_nothing_passes_by(
    backbone: str, unfreeze: str, layer: str, first: str
) -> None:
    """Right below the first trained layer, or below the whole block that a shortcut spans."""
    point = find_freeze_point(backbone, 64, unfreeze)
    assert (point.layer, point.first_trainable) == (layer, first)


def test_only_what_is_unfrozen_is_trained() -> None:
    """In a block that a shortcut spans, what comes before the first layer stays as it is."""
    point = find_freeze_point("resnet50", 64, "conv5_block3_2_conv")
    upper = unfrozen_part(construct("resnet50", 64), point)
    trained = {layer.name for layer in upper.layers if layer.trainable_weights}
    assert trained == {"conv5_block3_2_conv", "conv5_block3_3_conv"}


@pytest.mark.parametrize("unfreeze", ["block9", "0", "99", "block5_pool", "block1_conv1"])
def test_a_layer_that_cannot_be_unfrozen_is_an_error(unfreeze: str) -> None:
    """With the layers that can be, or what to do."""
    with pytest.raises(RecipeError, match=r"to unfreeze|stay frozen"):
        find_freeze_point("vgg16", 48, unfreeze)


def test_it_trains_as_the_whole_base_would(home: Path) -> None:
    """The loss of the first epoch is that of training the whole network."""
    keras = import_keras()
    rng = np.random.default_rng(0)
    pixels = rng.normal(0, 50, (40, SIZE, SIZE, 3)).astype(np.float32)
    codes = np.arange(40) % 2
    weights = str(home / "vgg16.npz")
    point = find_freeze_point("vgg16", SIZE, "block5_conv3")
    tuned = FineTune(size=SIZE, weights=weights, unfreeze="block5_conv3", epochs=1, batch_size=8)
    base = construct("vgg16", SIZE)
    with np.load(weights) as archive:
        base.set_weights([archive[name] for name in archive.files])
    below = keras.Model(base.input, base.get_layer(point.layer).output)
    activations = below.predict(pixels, verbose=0)
    tuned.fit(activations.reshape(40, -1), codes)

    keras.utils.set_random_seed(0)
    whole_base = construct("vgg16", SIZE)
    with np.load(weights) as archive:
        whole_base.set_weights([archive[name] for name in archive.files])
    for layer in whole_base.layers:
        layer.trainable = layer.name == "block5_conv3"
    start = tuned._start
    linear = keras.layers.Dense(2, activation="softmax")
    head = [keras.layers.Flatten(), keras.layers.Rescaling(start.scale), linear]
    whole = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            whole_base,
            *head,
        ]
    )
    linear.set_weights([start.kernel, start.bias])
    whole.compile(keras.optimizers.Adam(5e-5), "sparse_categorical_crossentropy")
    history = whole.fit(pixels, codes, batch_size=8, epochs=1, verbose=0).history
    assert tuned.history_["loss"][0] == pytest.approx(history["loss"][0], rel=1e-4)


def test_the_head_starts_as_logistic_regression_on_the_pretrained_features(home: Path) -> None:
    """Where nothing more is learned, it predicts what `LogReg` does; the held-out fifth, too."""
    keras = import_keras()
    rng = np.random.default_rng(0)
    weights = str(home / "vgg16.npz")
    point = find_freeze_point("vgg16", SIZE, "1")
    codes = np.arange(60) % 3
    X = rng.random((60, int(np.prod(point.shape)))).astype(np.float32)
    X += np.eye(3, X.shape[1], dtype=np.float32)[codes]
    tuned = FineTune(size=SIZE, weights=weights, epochs=1, learning_rate=1e-12).fit(X, codes)
    with np.load(weights) as archive:
        base = construct("vgg16", SIZE)
        base.set_weights([archive[name] for name in archive.files])
    upper = keras.Sequential([unfrozen_part(base, point), keras.layers.Flatten()])
    features = upper.predict(X.reshape(-1, *point.shape), verbose=0)
    expected = LogReg().fit(features, codes)
    np.testing.assert_allclose(tuned.predict_proba(X), expected.predict_proba(features), atol=1e-4)
    rows = np.setdiff1d(np.arange(60), tuned.held_out_)
    without = LogReg().fit(features[rows], codes[rows])
    np.testing.assert_allclose(
        tuned.held_out_proba_, without.predict_proba(features[tuned.held_out_]), atol=1e-4
    )


def test_a_model_of_an_earlier_version_has_a_hidden_layer(home: Path, tmp_path: Path) -> None:
    """Files of format 1 hold one; those of the current format do not."""
    rng = np.random.default_rng(0)
    shape = find_freeze_point("vgg16", SIZE, "1").shape
    X = rng.random((20, int(np.prod(shape)))).astype(np.float32)
    tuned = FineTune(size=SIZE, weights=str(home / "vgg16.npz"), epochs=1)
    tuned.fit(X, np.arange(20) % 2)
    file = tmp_path / persistence.save(tuned, tmp_path, "finetune")
    loaded = persistence.load(file, hashlib.sha256(file.read_bytes()).hexdigest())
    np.testing.assert_allclose(loaded.predict_proba(X), tuned.predict_proba(X), atol=1e-5)

    earlier = FineTune(size=SIZE, weights=str(home / "vgg16.npz"))
    earlier.hidden_units = 256
    shapes = earlier.weight_shapes(shape, 2)
    earlier.restore(
        np.array([0, 1]), shape, [rng.normal(0, 0.01, s).astype(np.float32) for s in shapes], {}
    )
    file = tmp_path / persistence.save(earlier, tmp_path, "finetune")
    with np.load(file) as archive:
        arrays = dict(archive)
    about = json.loads(arrays["about"].tobytes()) | {"format": 1}
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    np.savez(file, **arrays)
    loaded = persistence.load(file, hashlib.sha256(file.read_bytes()).hexdigest())
    np.testing.assert_allclose(loaded.predict_proba(X), earlier.predict_proba(X), atol=1e-5)


def test_the_best_number_of_epochs_is_chosen_early(home: Path) -> None:
    """With random labels, the validation loss soon stops falling; then all samples are used."""
    rng = np.random.default_rng(0)
    shape = find_freeze_point("vgg16", SIZE, "1").shape
    X = rng.random((60, int(np.prod(shape)))).astype(np.float32)
    y = rng.integers(0, 2, 60)
    calls = []
    tuned = FineTune(
        size=SIZE, weights=str(home / "vgg16.npz"), epochs=40, patience=2, learning_rate=1e-3
    ).fit(X, y, progress=lambda *report: calls.append(report))
    assert tuned.epochs_ < 38
    assert len(tuned.history_["loss"]) == tuned.epochs_
    chosen = [done for stage, done, _ in calls if stage.endswith("choosing the epochs")]
    assert chosen[-1] == 2 * (tuned.epochs_ + 2)  # two steps each, and no more than the patience
    assert len(tuned.held_out_) == 12
    assert log_loss(y[tuned.held_out_], tuned.held_out_proba_) < 0.8


def test_mirror_images_are_trained_on_and_not_validated_on(home: Path) -> None:
    """Twice the steps, the same validation part, and predictions for images as they are."""
    rng = np.random.default_rng(0)
    n_features = int(np.prod(find_freeze_point("vgg16", SIZE, "1").shape))
    X = rng.random((40, 2 * n_features)).astype(np.float32)
    y = np.arange(40) % 2
    calls = []
    tuned = FineTune(
        size=SIZE, weights=str(home / "vgg16.npz"), epochs=1, batch_size=8, mirror=True
    )
    tuned.fit(X, y, progress=lambda *report: calls.append(report))
    assert calls[-1][1:] == (10, 10)
    assert tuned.predict_proba(X[:, :n_features]).shape == (40, 2)
    assert tuned.n_features_in_ == n_features


@pytest.mark.parametrize("mirror", [False, True])
def test_start_and_epochs_are_chosen_on_whole_groups(
    home: Path, mirror: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image and its mirror image are of one group, too."""
    seen: list[np.ndarray] = []

    class Noting(LogReg):
        def fit(self, X: Any, y: Any, progress: Any = False, groups: Any = None) -> Any:
            seen.append(groups)
            return super().fit(X, y, progress, groups)

    monkeypatch.setattr(finetune, "LogReg", Noting)
    n_features = int(np.prod(find_freeze_point("vgg16", SIZE, "1").shape))
    views = 2 if mirror else 1
    X = np.random.default_rng(0).random((24, views * n_features)).astype(np.float32)
    groups = np.arange(24) // 3
    tuned = FineTune(size=SIZE, weights=str(home / "vgg16.npz"), epochs=1, mirror=mirror)
    tuned.fit(X, groups % 2, groups=groups)
    rest = np.setdiff1d(np.arange(24), tuned.held_out_)
    assert not set(groups[tuned.held_out_]) & set(groups[rest])
    assert [set(np.bincount(given)) - {0} for given in seen] == [{3 * views}] * 2
    if mirror:
        seen.clear()
        tuned.fit(X, groups % 2)
        assert [set(np.bincount(given)) - {0} for given in seen] == [{2}] * 2


def test_activations_of_another_layer_are_an_error(home: Path) -> None:
    """The message names the expected shape."""
    with pytest.raises(ClassifierError, match="after block5_conv2, 3 x 3 x 512, found 7 numbers"):
        FineTune(size=SIZE, weights=str(home / "vgg16.npz")).fit(np.zeros((4, 7)), [0, 1, 0, 1])


def test_the_command_trains_saves_and_predicts(home: Path) -> None:
    """From pictures to a saved, calibrated model; the activations are cached once."""
    (home / "pictures" / "dark" / "broken.png").write_text("no image")
    common = ("--data", "pictures", "--weights", "vgg16.npz", "--size", "48", "--cache", "cache")
    wanted = ("--clf", "finetune,centroid", "--unfreeze", "block5_conv3", "--learning-rate", "1e-3")
    wanted += ("--augment", "mirror", "--calibrate")
    done = run_command("classify", *common, *wanted, "--out", "run", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    record = json.loads((home / "run" / "run.json").read_text())
    (tuned,) = (r for r in record["results"] if r["classifier"] == "finetune")
    assert tuned["backbone"] == "vgg16 up to block5_conv2"
    (below,) = (b for b in record["bases"] if b["backbone"] == tuned["backbone"])
    assert below["recipe"]["layer"] == "block5_conv2"
    assert below["extraction"]["computed"] == 24
    assert not below["recipe"]["mirrored"]
    assert tuned["params"]["mirror"]
    assert [item["path"] for item in record["quarantine"]] == ["dark/broken.png"]
    (listed,) = (home / "cache" / "quarantine").rglob("quarantine.csv")
    assert "broken.png" in listed.read_text()
    model = persistence.load(home / "run" / tuned["model"], tuned["model_sha256"])
    assert model.get_params()["unfreeze"] == "block5_conv3"
    done = run_command(
        "classify.predict", "run", "pictures/dark", "--clf", "finetune", "--cache", "cache",
        "--csv", "answers.csv", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "12 images classified, 1 broken" in done.stdout
    assert tuned["temperature"] is not None
    reported, predicted = (
        {
            row["path"].rpartition("/")[2]: float(row["probability"])
            for row in rows
            if row["probability"]  # a file that is no image has none
        }
        for rows in (
            [row for row in read_csv(home / "run" / "predictions.csv")
             if row["classifier"] == "finetune" and row["true"] == "dark"],
            read_csv(home / "answers.csv"),
        )
    )  # fmt: skip
    assert reported
    assert {name: predicted[name] for name in reported} == pytest.approx(reported, abs=1e-4)


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
