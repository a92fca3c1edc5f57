"""Classifiers of scikit-learn's, named as module:Class."""

import cv2
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import LinearSVC

from classify import persistence, registry
from classify.errors import ClassifierError, ModelError
from classify.estimators.wrapped import WrappedClassifier
from classify.experiment.recording.folder import RunFolder
from extract.backbones.catalog import construct
from reports.reading import read_record
from tests.commands import run_command
from toolkit.libraries import import_keras


def blobs(n_classes=3):
    rng = np.random.default_rng(0)
    y = np.arange(90) % n_classes
    X = 300 * (rng.normal(size=(90, 20)) + 3 * np.eye(n_classes, 20)[y])
    return X.astype(np.float32), np.array(["ant", "bee", "cow"])[y]


@pytest.mark.parametrize("name", ["sklearn.naive_bayes:GaussianNB", "sklearn.svm:LinearSVC"])
def test_it_gives_probabilities_and_can_be_saved(name, tmp_path):
    """With probabilities of its own or from its decisions; loaded, it answers the same."""
    X, y = blobs()
    model = registry.create(name, seed=3).fit(X, y)
    assert model.estimator_.get_params().get("random_state", 3) == 3
    assert model.score(X, y) > 0.95
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    file = persistence.save(model, tmp_path, "mine")
    loaded = persistence.load(tmp_path / file)
    np.testing.assert_array_equal(loaded.predict_proba(X), probabilities)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sklearn.svm:NuSVC(nu=0.95)", r"NuSVC\(nu=0.95.*\) cannot be trained .* infeasible"),
        ("sklearn.svm:LinearSVC(C=-1)", r"LinearSVC\(C=-1.*\) cannot be trained .*'C' parameter"),
        ("sklearn.neighbors:KNeighborsClassifier(n_neighbors=999)", "cannot be used on .*999"),
        ("sklearn.semi_supervised:LabelPropagation(gamma=1e30)", "used on .* are not finite;"),
    ],
)
def test_what_scikit_learn_refuses_is_one_error(name, words):
    """It names the classifier, and what to do."""
    X, y = blobs()
    X, y = X[3:], y[3:]
    X, y = np.concatenate([X, X[y == "ant"]]), np.concatenate([y, y[y == "ant"]])
    with pytest.raises(ClassifierError, match=words) as raised:
        registry.create(name, seed=3).fit(X, y).predict_proba(X)
    assert "choose other parameters or another classifier" in str(raised.value)


def test_the_scale_of_the_features_does_not_matter():
    """A classifier that is not indifferent to it sees features of unit mean squared norm."""
    X, y = blobs(2)
    first, second = (WrappedClassifier(LinearSVC()).fit(scale * X, y) for scale in (1, 1000))
    np.testing.assert_allclose(first.predict_proba(X), second.predict_proba(1000 * X), atol=1e-3)


def test_its_title_is_its_class():
    """So that a report tells several apart."""
    assert (
        WrappedClassifier(RandomForestClassifier()).title
        == "RandomForestClassifier on frozen features"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere:Class", "cannot import the classifier nowhere:Class"),
        ("sklearn.svm:LinearSVVC", r"has no class 'LinearSVVC' \(did you mean LinearSVC\?\)"),
        (":Class", "cannot import the classifier :Class"),
        ("os:system", "is not the class of a scikit-learn classifier"),
        ("sklearn.svm:SVR", "is not a classifier"),
        ("sklearn.preprocessing:StandardScaler", "is not a classifier"),
        ("sklearn.multiclass:OneVsRestClassifier", "cannot be created without parameters"),
    ],
)
def test_what_is_no_classifier_is_refused(name, words):
    """In one sentence, before anything is computed."""
    with pytest.raises(ClassifierError, match=words):
        registry.create(name)


def test_the_name_keeps_its_case_in_a_list():
    """Other names may be written in any case."""
    spec = "SVM, sklearn.ensemble:RandomForestClassifier"
    assert registry.parse_names(spec) == ["svm", "sklearn.ensemble:RandomForestClassifier"]


def test_a_saved_network_cannot_name_a_module():
    """What stands in a file is looked up among our own classifiers alone."""
    with pytest.raises(ClassifierError, match="unknown classifier"):
        registry.get_class("os:system")


def test_a_model_that_nobody_may_load_is_not_kept(tmp_path):
    """A forest holds trees that could be made to read foreign memory; its file goes again."""
    X, y = blobs()
    model = registry.create("sklearn.ensemble:RandomForestClassifier", seed=0).fit(X, y)
    with pytest.raises(ModelError, match=r"sklearn.tree._tree.Tree"):
        RunFolder(tmp_path).save_model(model, "forest")
    assert list(tmp_path.iterdir()) == []


def test_parameters_follow_in_brackets():
    """Literals of Python; the seed is added unless it is among them."""
    name = "sklearn.neural_network:MLPClassifier(hidden_layer_sizes=(8, 4), activation='tanh')"
    found = registry.create(name, seed=3).estimator
    assert (found.hidden_layer_sizes, found.activation, found.random_state) == ((8, 4), "tanh", 3)
    assert registry.create("sklearn.svm:SVC(random_state=7)", seed=3).estimator.random_state == 7


def test_a_comma_in_brackets_or_quotes_ends_no_name():
    """It is part of a parameter."""
    spec = "svm,a:B(c=[1, 2], d='(,'),x:Y(),logreg"
    assert registry.parse_names(spec) == ["svm", "a:B(c=[1, 2], d='(,')", "x:Y()", "logreg"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("SVC(C=__import__('os').getpid())", "cannot read the parameters"),
        ("SVC(C=float('1'))", "cannot read the parameters"),
        ("SVC(1.0)", "expected Class"),
        ("SVC(**{'C': 1})", r"found \*\*"),
        ("SVC(C=1", "cannot read the parameters"),
        ("SVC(C=1).fit", "expected Class"),
        ("SVC(colour=1)", "cannot be created with these parameters: .*colour"),
    ],
)
def test_parameters_are_never_run(call, words):
    """Whatever is no literal is refused, in one sentence."""
    with pytest.raises(ClassifierError, match=words):
        registry.create(f"sklearn.svm:{call}")


@pytest.mark.parametrize(
    "name",
    [
        "sklearn.calibration:CalibratedClassifierCV",
        "sklearn.gaussian_process:GaussianProcessClassifier",
        "sklearn.neural_network:MLPClassifier(max_iter=20, tol=1)",
        "sklearn.neural_network:MLPClassifier(max_iter=20, tol=1, solver='sgd')",
        "sklearn.neighbors:KNeighborsClassifier(n_neighbors=3)",
    ],
)
def test_what_is_plain_python_is_saved_and_loaded(tmp_path, name):
    """And predicts what it predicted."""
    X, y = blobs()
    model = registry.create(name).fit(X, y)
    file, sha256 = RunFolder(tmp_path).save_model(model, "model")
    loaded = persistence.load(tmp_path / file, sha256)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.slow
def test_the_command_takes_one_beside_ours(tmp_path):
    """README's example: judged like the others, with its parameters in the record."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for label, brightness in (("bright", 120), ("dark", 0)):
            folder = tmp_path / "pictures" / split / label
            folder.mkdir(parents=True)
            for i in range(8):
                picture = rng.integers(0, 130, (48, 48, 3)) + brightness
                cv2.imwrite(str(folder / f"{i}.png"), picture.astype(np.uint8))
    import_keras().utils.set_random_seed(0)
    np.savez(tmp_path / "vgg16.npz", *construct("vgg16", 48).get_weights())
    forest = "sklearn.ensemble:RandomForestClassifier(n_estimators=30, max_depth=4)"
    names = f"{forest},centroid,sklearn.ensemble:AdaBoostClassifier"
    done = run_command(
        "classify", "--data", "pictures", "--weights", "vgg16.npz", "--size", "48",
        "--cache", "cache", "--clf", names, "--out", "run", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = read_record(tmp_path / "run")
    assert [result.classifier for result in run.results] == [
        forest, "centroid", "sklearn.ensemble:AdaBoostClassifier"
    ]  # fmt: skip
    params = run.results[0].params
    assert params["estimator__n_estimators"] == 30
    assert params["estimator"].startswith("RandomForestClassifier(")
    assert "it cannot be used after this run: its model was not saved, because" in done.stdout
    done = run_command("reports", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
