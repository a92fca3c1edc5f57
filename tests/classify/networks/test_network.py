"""The dense head and the CNN."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from classify import persistence
from classify.errors import ClassifierError
from classify.experiment.compare import compare
from classify.networks.cnn import SMALLEST_SIZE, ScratchCNN
from classify.networks.dense import DenseHead
from toolkit.libraries import import_keras


def embeddings(n_samples=60, n_features=20):
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % 2
    X = y[:, None] + 0.5 * rng.normal(size=(n_samples, n_features))
    return X.astype(np.float32), np.array(["cats", "dogs"])[y]


def images(n_samples=24, size=SMALLEST_SIZE):
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % 2
    X = rng.integers(0, 128, (n_samples, size, size, 3)) + 127 * y[:, None, None, None]
    return X.astype(np.uint8), np.array(["dark", "light"])[y]


@pytest.fixture(scope="module")
def trained():
    """Return a dense head after 8 epochs on `embeddings`, and what it reported as progress."""
    calls = []
    head = DenseHead(epochs=8, learning_rate=0.01)
    head.fit(*embeddings(), progress=lambda *report: calls.append(report))
    return head, calls


@pytest.fixture(scope="module")
def trained_cnn():
    """Return a CNN after 4 epochs on `images`."""
    return ScratchCNN(epochs=4, batch_size=8).fit(*images())


@pytest.mark.parametrize(
    ("network", "shape", "n_parameters"),
    [(DenseHead, (8192,), 2_097_922), (ScratchCNN, (150, 150, 3), 3_453_634)],
)
def test_the_networks_are_the_lessons(network, shape, n_parameters):
    """The lesson's parameter counts, to the last one."""
    shapes = network().weight_shapes(shape, 2)
    assert sum(int(np.prod(weight)) for weight in shapes) == n_parameters


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "X"),
    [
        (DenseHead, np.eye(4, 8192, dtype=np.float32)),
        (ScratchCNN, np.zeros((4, 150, 150, 3), np.uint8)),
    ],
)
def test_the_weights_have_the_stated_shapes(network, X):
    """`weight_shapes` returns the shapes and the number of parameters of the Keras network."""
    fitted = network(epochs=1).fit(X, [0, 1, 0, 1])
    shapes = fitted.weight_shapes(X.shape[1:], 2)
    assert [weight.shape for weight in fitted.get_weights()] == shapes
    assert fitted.n_parameters_ == sum(int(np.prod(shape)) for shape in shapes)


def test_the_epochs_are_the_lessons():
    """By default 5 epochs for the head and 10 for the CNN."""
    assert DenseHead().get_params()["epochs"] == 5
    assert ScratchCNN().get_params()["epochs"] == 10


@pytest.mark.slow
def test_the_dense_head_learns_and_keeps_its_history(trained):
    """Separable classes are learned, and every epoch has a loss and an accuracy."""
    (X, y), (head, _) = embeddings(), trained
    assert head.score(X, y) == 1.0
    assert {name: len(values) for name, values in head.history_.items()} == {
        "accuracy": 8,
        "loss": 8,
    }
    assert head.history_["loss"][-1] < head.history_["loss"][0]
    probabilities = head.predict_proba(X)
    assert probabilities.shape == (60, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.slow
def test_the_dense_head_predicts_what_keras_predicts(trained):
    """The forward pass in NumPy gives the probabilities of the Keras network, to 1e-6."""
    (X, _), (head, _) = embeddings(), trained
    network = import_keras().Sequential(head.layers((20,), 2))
    network.set_weights(head.get_weights())
    np.testing.assert_allclose(head.predict_proba(X), network.predict(X, verbose=0), atol=1e-6)


@pytest.mark.slow
def test_a_saved_dense_head_predicts_without_tensorflow(trained, tmp_path):
    """Loading and predicting import neither TensorFlow nor Keras, and give the same."""
    (X, _), (head, _) = embeddings(), trained
    file = persistence.save(head, tmp_path, "dense")
    np.save(tmp_path / "X.npy", X)
    program = (
        "import pathlib, sys; import numpy as np; from classify import persistence;"
        f"head = persistence.load(pathlib.Path({file!r}));"
        "np.save('predicted.npy', head.predict_proba(np.load('X.npy')));"
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "predicted.npy"), head.predict_proba(X))


@pytest.mark.slow
def test_the_cnn_learns_from_uint8_images(trained_cnn):
    """Dark and light images are learned."""
    assert trained_cnn.score(*images()) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("network", [DenseHead(epochs=2), ScratchCNN(epochs=1)])
def test_the_same_seed_gives_the_same_network(network):
    """The same weights to the last bit; another seed gives others."""
    X, y = embeddings() if network.consumes == "embeddings" else images()

    def weights(seed):
        return clone(network).set_params(random_state=seed).fit(X, y).get_weights()

    first, again, other = weights(1), weights(1), weights(2)
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, same)
    assert not np.array_equal(first[0], other[0])


@pytest.mark.slow
def test_progress_counts_the_steps_of_all_epochs(trained):
    """60 samples in batches of 32 are two steps per epoch, and so are the 48 of the choice."""
    _, calls = trained
    title = "Dense head on frozen features"
    for stage, reports in (("choosing the epochs", calls[:16]), ("training on all", calls[16:])):
        assert [(done, total) for _, done, total in reports] == [(n, 16) for n in range(1, 17)]
        assert all(name.startswith(f"{title}: {stage}") for name, _, _ in reports)


@pytest.mark.slow
def test_a_training_that_diverges_is_an_error():
    """If the loss is not finite, the message suggests a smaller learning rate."""
    X, y = embeddings()
    with pytest.raises(ClassifierError, match=r"diverged.*learning rate below"):
        DenseHead(learning_rate=1e38).fit(X, y)


@pytest.mark.parametrize("network", [DenseHead(), ScratchCNN()])
def test_an_untrained_network_cannot_predict(network):
    """It is scikit-learn's error, raised before TensorFlow is imported."""
    with pytest.raises(NotFittedError):
        network.predict(images()[0])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((2, 50, 50, 3), np.float32), "uint8 images.*found float32"),
        (np.zeros((2, 50, 50), np.uint8), r"found uint8 of shape \(2, 50, 50\)"),
        (np.zeros((2, 45, 50, 3), np.uint8), "50x45 are too small.*size of 46"),
    ],
)
def test_wrong_images_are_an_error_of_the_cnn(X, message):
    """A wrong type, shape or size is reported before the training."""
    with pytest.raises(ClassifierError, match=message):
        ScratchCNN().fit(X, [0, 1])


@pytest.mark.slow
def test_images_of_another_size_are_an_error_of_the_cnn(trained_cnn):
    """The message names both sizes."""
    with pytest.raises(ClassifierError, match=r"trained on images of shape \(46, 46, 3\)"):
        trained_cnn.predict(images(size=50)[0])


@pytest.mark.parametrize("parameters", [{"epochs": 0}, {"batch_size": -1}, {"learning_rate": 0.0}])
def test_parameters_out_of_range_are_errors(parameters):
    """The message names the parameter, before TensorFlow is imported."""
    with pytest.raises(ClassifierError, match=next(iter(parameters))):
        DenseHead(**parameters).fit(*embeddings())


def test_one_class_is_an_error():
    """A network needs two classes."""
    with pytest.raises(ClassifierError, match="at least two classes"):
        DenseHead().fit(embeddings()[0], ["cats"] * 60)


@pytest.mark.slow
def test_the_scale_of_the_features_does_not_change_the_dense_head():
    """Features a thousand times as large give the same probabilities."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 20)).astype(np.float32)
    y = np.where(X[:, 0] > 0, "a", "b")
    plain = DenseHead(random_state=3).fit(X, y).predict_proba(X)
    large = DenseHead(random_state=3).fit(1024 * X, y).predict_proba(1024 * X)
    np.testing.assert_allclose(large, plain, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_the_best_learning_rate_on_a_validation_part_is_chosen():
    """Every learning rate has its history, and the final training is on all samples."""
    X, y = embeddings(200)
    head = DenseHead(epochs=3, learning_rate=[1e-7, 0.01]).fit(X, y)
    assert head.learning_rate_ == 0.01
    assert head.search_.chosen == {"learning_rate": 0.01}
    assert [sweep.learning_rate for sweep in head.sweep_] == [1e-7, 0.01]
    for sweep in head.sweep_:
        assert [len(sweep.history[name]) for name in ("loss", "val_loss", "val_accuracy")] == [
            3
        ] * 3
    alone = DenseHead(epochs=3, learning_rate=0.01).fit(X, y)
    np.testing.assert_array_equal(head.predict_proba(X), alone.predict_proba(X))


@pytest.mark.slow
def test_the_number_of_epochs_is_chosen_and_all_samples_are_trained_on():
    """With random labels more epochs only make it surer of what is wrong."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 50)).astype(np.float32), rng.integers(0, 2, 100)
    head = DenseHead(epochs=30, learning_rate=0.01).fit(X, y)
    assert head.epochs_ < 10
    assert len(head.history_["loss"]) == head.epochs_
    assert head.held_out_proba_.shape == (20, 2)
    assert set(y[head.held_out_]) == {0, 1}
    correct = head.held_out_proba_.argmax(axis=1) == y[head.held_out_]
    assert correct.mean() < 0.8  # it has not seen them


@pytest.mark.slow
def test_many_classes_of_few_samples_can_be_learned():
    """Thirty classes of four: a fifth of the samples has not one of every class."""
    y = np.repeat(np.arange(30), 4)
    head = DenseHead(epochs=40, learning_rate=0.01).fit(np.eye(30, dtype=np.float32)[y], y)
    assert head.score(np.eye(30, dtype=np.float32), np.arange(30)) == 1.0


@pytest.mark.slow
def test_learning_rates_that_diverge_are_not_chosen():
    """If all of them diverge, that is an error."""
    X, y = embeddings()
    assert DenseHead(epochs=1, learning_rate=[1e38, 0.01]).fit(X, y).learning_rate_ == 0.01
    with pytest.raises(ClassifierError, match="diverged with every learning rate"):
        DenseHead(epochs=1, learning_rate=[1e38, 2e38]).fit(X, y)


@pytest.mark.parametrize("learning_rate", [0, -1.0, [], [0.1, 0]])
def test_a_learning_rate_out_of_range_is_an_error(learning_rate):
    """It must be positive, or several positive ones."""
    with pytest.raises(ClassifierError, match="learning_rate must be positive"):
        DenseHead(learning_rate=learning_rate).fit(*embeddings())


@pytest.mark.slow
def test_a_run_says_how_many_epochs_were_chosen(tmp_path):
    """Beside the result, with the number of images that the choice was made on."""
    run = compare(embeddings(100), None, DenseHead(epochs=3), out=tmp_path)
    (result,) = run.record.results
    n_epochs = len(result.history["loss"])
    said = f"trained on all images for {n_epochs} epoch"
    assert any(note.startswith(said) and "of at most 3" in note for note in result.notes)


@pytest.mark.slow
def test_a_choice_that_is_stopped_keeps_the_rates_that_are_finished():
    """A new network with them trains the others, and comes to the same; progress counts all."""
    X, y = embeddings()
    rates, calls = [1e-3, 1e-2, 1e-1], []

    def stop(stage, done, total):
        calls.append((stage, done, total))
        if done == 2 * total // 3 + 1:
            raise KeyboardInterrupt

    stopped = DenseHead(epochs=2, learning_rate=rates)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(X, y, progress=stop)
    assert [(done, total) for _, done, total in calls] == [(n, 12) for n in range(1, 10)]
    assert len({stage for stage, _, _ in calls}) == 1
    assert [rate.learning_rate for rate in stopped.finished_rates] == rates[:2]
    resumed, whole = (DenseHead(epochs=2, learning_rate=rates) for _ in range(2))
    resumed.finished_rates = stopped.finished_rates
    calls.clear()
    resumed.fit(X, y, progress=lambda *call: calls.append(call))
    assert calls[0][1:] == (9, 12)
    whole.fit(X, y)
    assert resumed.sweep_ == whole.sweep_
    np.testing.assert_array_equal(resumed.held_out_proba_, whole.held_out_proba_)
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
