import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from cache import disk
from classify import persistence
from classify.errors import ModelError
from classify.estimators.centroid import Centroid
from classify.estimators.logreg import LogReg
from classify.estimators.nearest import Nearest
from classify.estimators.svm import SVM
from classify.networks.cnn import SMALLEST_SIZE, ScratchCNN
from classify.networks.dense import DenseHead


def data(n_classes=2):
    rng = np.random.default_rng(0)
    y = np.arange(30) % n_classes
    X = (y[:, None] + rng.normal(size=(30, 50))).astype(np.float32)
    return X, np.array(["ant", "bee", "cow"])[y]


def dense_file(folder: Path, n_features=50) -> Path:
    """Write a dense head as `save` does, with random weights."""
    rng = np.random.default_rng(0)
    weights = [
        rng.normal(size=shape).astype(np.float32)
        for shape in DenseHead().weight_shapes((n_features,), 2)
    ]
    about = {
        "format": 1,
        "classifier": "dense",
        "params": DenseHead().get_params(),
        "classes": ["ant", "bee"],
        "sample_shape": [n_features],
        "history": {"accuracy": [0.5], "loss": [0.7]},
    }
    return write_network(folder / "dense.npz", about, weights)


def write_network(path: Path, about, weights) -> Path:
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(path, about=text, **{f"weight_{i}": weight for i, weight in enumerate(weights)})
    return path


def rewrite(path: Path, **members: bytes) -> None:
    """Replace members of an archive."""
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (kept | members).items():
            archive.writestr(name, content)


def npy(array: np.ndarray, **save_options) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **save_options)
    return buffer.getvalue()


def claimed(shape: tuple[int, ...]) -> bytes:
    """Return an array file of four bytes whose header claims a shape."""
    buffer = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + bytes(4)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "estimator",
    [SVM(kernel="rbf"), LogReg(), Nearest(), Centroid()],
    ids=["svm", "logreg", "nearest", "centroid"],
)
def test_a_scikit_learn_model_is_restored_exactly(tmp_path, estimator, n_classes):
    """Probabilities, labels, parameters and the search survive the file."""
    X, y = data(n_classes)
    estimator.fit(X, y)
    file = persistence.save(estimator, tmp_path, "mine")
    loaded = persistence.load(tmp_path / file)
    assert file == "mine.skops"
    np.testing.assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), estimator.predict(X))
    assert loaded.get_params() == estimator.get_params()
    assert getattr(loaded, "search_", None) == getattr(estimator, "search_", None)


@pytest.mark.slow
def test_a_dense_head_is_restored(tmp_path):
    """Probabilities, labels, parameters and history survive the file, whatever its name."""
    X, y = data()
    head = DenseHead(epochs=2, random_state=3).fit(X, y)
    file = persistence.save(head, tmp_path, "dense@vgg16")
    loaded = persistence.load(tmp_path / file)
    assert file == "dense@vgg16.npz"
    np.testing.assert_allclose(loaded.predict_proba(X), head.predict_proba(X), rtol=1e-6)
    np.testing.assert_array_equal(loaded.predict(X), head.predict(X))
    assert loaded.get_params() == head.get_params()
    assert loaded.history_ == head.history_
    assert loaded.n_parameters_ == head.n_parameters_


@pytest.mark.slow
def test_a_cnn_is_restored(tmp_path):
    """Like the dense head."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (8, SMALLEST_SIZE, SMALLEST_SIZE, 3), dtype=np.uint8)
    cnn = ScratchCNN(epochs=1).fit(X, [3, 5] * 4)
    loaded = persistence.load(tmp_path / persistence.save(cnn, tmp_path, "cnn"))
    np.testing.assert_allclose(loaded.predict_proba(X), cnn.predict_proba(X), rtol=1e-5)
    assert loaded.classes_.tolist() == [3, 5]


@pytest.mark.slow
def test_a_written_network_file_is_accepted(tmp_path):
    """The file that the tests below damage is valid."""
    assert persistence.load(dense_file(tmp_path)).predict(np.zeros((1, 50))).shape == (1,)


@pytest.mark.parametrize("name", ["gone.skops", "gone.npz"])
def test_a_missing_file_is_named(tmp_path, name):
    """The message names the file and what to do."""
    with pytest.raises(ModelError, match=rf"{name} \(No such file.*train again"):
        persistence.load(tmp_path / name)


def test_a_model_that_is_no_regular_file_is_refused(tmp_path):
    """Opening a FIFO would block."""
    os.mkfifo(tmp_path / "svm.skops")
    with pytest.raises(ModelError, match="not a regular file"):
        persistence.load(tmp_path / "svm.skops")


def test_a_file_of_another_kind_is_refused(tmp_path):
    """A pickle is not opened."""
    with pytest.raises(ModelError, match=r"expected a name ending in \.npz or \.skops"):
        persistence.load(tmp_path / "model.pkl")


@pytest.mark.parametrize("suffix", [".npz", ".skops"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_file_is_damaged(tmp_path, suffix, share):
    """A truncated file is one clear error."""
    if suffix == ".npz":
        path = dense_file(tmp_path)
    else:
        path = tmp_path / persistence.save(LogReg(C=1.0, folds=2).fit(*data()), tmp_path, "logreg")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match=f"{path.name} is damaged or not a saved model"):
        persistence.load(path)


@pytest.mark.parametrize("suffix", [".npz", ".skops"])
def test_a_flipped_bit_is_detected(tmp_path, suffix):
    """By the checksums of the archive, before its content is used."""
    if suffix == ".npz":
        path = dense_file(tmp_path)
    else:
        path = tmp_path / persistence.save(LogReg(C=1.0, folds=2).fit(*data()), tmp_path, "logreg")
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda member: member.file_size)
    content[largest.header_offset + largest.file_size // 2 + 200] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        persistence.load(path)


def test_any_flipped_bit_is_detected_by_the_sha256_in_the_record(tmp_path):
    """Names, times and padding of the archive count too."""
    path = dense_file(tmp_path)
    expected = disk.sha256(path)
    content = path.read_bytes()
    for place in range(0, len(content), len(content) // 50):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(ModelError, match=f"should be {expected}"):
            persistence.load(path, expected)


def test_the_file_that_was_saved_is_loaded(tmp_path):
    """With the right SHA-256 as without one."""
    X, y = data()
    path = tmp_path / persistence.save(LogReg(C=1.0, folds=2).fit(X, y), tmp_path, "logreg")
    loaded = persistence.load(path, disk.sha256(path))
    assert np.array_equal(loaded.predict(X), persistence.load(path).predict(X))


def test_a_type_that_is_not_ours_is_named_and_not_loaded(tmp_path):
    """A skops file with a foreign type is refused by the type's name."""
    path = tmp_path / "model.skops"
    skops.io.dump({"path": Path("x")}, path)
    with pytest.raises(ModelError, match=r"not trusted with, and was not loaded: pathlib\."):
        persistence.load(path)


def test_a_skops_file_of_a_newer_version_is_refused(tmp_path):
    """Its number is the comment of the archive; files of earlier versions have no comment."""
    X, y = data()
    path = tmp_path / persistence.save(LogReg(C=1.0, folds=2).fit(X, y), tmp_path, "logreg")
    with zipfile.ZipFile(path, "a") as archive:
        assert archive.comment == b"frozen-features format 2"
        archive.comment = b"frozen-features format 3"
    with pytest.raises(ModelError, match="format 3, this version reads formats up to 2; upgrade"):
        persistence.load(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b""
    assert persistence.load(path).predict(X).shape == y.shape


def test_an_estimator_that_is_not_ours_is_refused(tmp_path):
    """Types that skops itself trusts are not models of this toolkit."""
    path = tmp_path / "model.skops"
    skops.io.dump(LogisticRegression().fit(*data()), path)
    with pytest.raises(ModelError, match="a LogisticRegression, not one of our classifiers"):
        persistence.load(path)


def test_parts_that_do_not_fit_together_are_refused(tmp_path):
    """A loaded model makes one prediction before it is returned."""
    model = LogReg(C=1.0, folds=2).fit(*data())
    model.coef_ = model.coef_[:, :7]
    with pytest.raises(ModelError, match="damaged"):
        persistence.load(tmp_path / persistence.save(model, tmp_path, "logreg"))


def test_features_beyond_the_file_are_refused(tmp_path):
    """A small file cannot make that prediction a huge one."""
    model = LogReg(C=1.0, folds=2).fit(*data())
    model.n_features_in_ = 10**12
    with pytest.raises(ModelError, match="take 1000000000000 features"):
        persistence.load(tmp_path / persistence.save(model, tmp_path, "logreg"))


def test_a_claimed_shape_beyond_the_bytes_is_refused_from_the_header(tmp_path):
    """A header that asks for terabytes is refused before anything is allocated."""
    path = dense_file(tmp_path)
    rewrite(path, **{"weight_0.npy": claimed((10**6, 10**6))})
    with pytest.raises(ModelError, match=r"weight_0\.npy claims to be a float32 array"):
        persistence.load(path)


def test_a_compressed_archive_is_refused(tmp_path):
    """Nothing can be decompressed to more than the file has."""
    path = tmp_path / "dense.npz"
    np.savez_compressed(path, about=np.zeros(10**6, np.uint8))
    with pytest.raises(ModelError, match="compressed"):
        persistence.load(path)


def test_a_pickle_inside_is_refused(tmp_path):
    """An object array, which NumPy would unpickle, is not read."""
    path = dense_file(tmp_path)
    rewrite(path, **{"weight_0.npy": npy(np.array([{}], dtype=object), allow_pickle=True)})
    with pytest.raises(ModelError, match=r"weight_0\.npy claims to be a object array"):
        persistence.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_shape": [10**9]}, "expected float32 weights of the shapes"),
        ({"classes": ["a", "b", "c"]}, "expected float32 weights of the shapes"),
        ({"classes": [["a"], ["b"]]}, "expected a list of class names"),
        ({"format": 3}, "format 3, this version reads formats up to 2; upgrade"),
        ({"format": "1"}, "format 1, this version"),
        ({"classifier": "os:system"}, "unknown classifier 'os:system'"),
        ({"classifier": "svm"}, "svm is not a network"),
        ({"params": {"nonsense": 1}}, "damaged"),
        ({"params": None}, "damaged"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path, change, message):
    """The weights must fit our own architecture, and the name must be one of our classes."""
    path = dense_file(tmp_path)
    with np.load(path) as archive:
        about = json.loads(archive["about"].tobytes()) | change
    rewrite(path, **{"about.npy": npy(np.frombuffer(json.dumps(about).encode(), np.uint8))})
    with pytest.raises(ModelError, match=message):
        persistence.load(path)


@pytest.mark.parametrize("kind", [SVM, LogReg])
def test_probabilities_of_the_training_samples_are_not_saved(tmp_path, kind):
    """With many classes they would be most of the file; the trained model keeps them."""
    X, y = data(3)
    model = kind(C=1.0).fit(X, y)
    loaded = persistence.load(tmp_path / persistence.save(model, tmp_path, "model"))
    assert not hasattr(loaded, "held_out_proba_")
    assert model.held_out_proba_.shape == (30, 3)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_a_model_of_an_earlier_version_with_other_numbers_of_pairs_is_damaged(tmp_path):
    """Before anything is allocated for the pairs that its classes would have."""
    X, y = data(3)
    model = SVM(C=1.0).fit(X, y)
    del model.n_support_
    path = tmp_path / persistence.save(model, tmp_path, "model")
    with pytest.raises(ModelError, match="expected weights and intercepts of 3 pairs"):
        persistence.load(path)
