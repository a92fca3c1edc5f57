"""Networks in files: what is read from them, what is asked for, and what is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from extract.backbones import guarded, network_files
from extract.backbones.network_files import open_network
from extract.errors import RecipeError, WeightsError
from tests.extract.backbones.onnx_networks import CHANNELS, write

if TYPE_CHECKING:
    from pathlib import Path

    from extract.backbones.described import DescribedNetwork


def opened(path: Path, **settings: Any) -> DescribedNetwork:
    return open_network(path, cache=path.parent / "cache", **settings)


@pytest.mark.parametrize("channels_last", [False, True])
def test_size_layout_and_shape_are_read_from_the_file(tmp_path: Path, channels_last: bool) -> None:
    network = opened(write(tmp_path / "a.onnx", channels_last=channels_last, outputs=["pixels"]))
    assert network.size == 16
    assert network.channels_first != channels_last
    assert sorted(network.shape) == [1, CHANNELS, 8, 8]
    assert network.output == "pixels"
    assert network.chosen_pooling("auto") == "avg"
    assert network.n_features("avg") == CHANNELS
    assert network.n_features("none") == CHANNELS * 64


def test_another_size_is_possible_where_the_network_takes_it(tmp_path: Path) -> None:
    """A fixed size is often that of the export, and not of the layers."""
    network = opened(write(tmp_path / "a.onnx", outputs=["pixels"]), size=20)
    assert (network.size, network.shape) == (20, (1, CHANNELS, 10, 10))


def test_a_size_that_the_file_does_not_say_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.onnx", sides=("h", "w"))
    with pytest.raises(RecipeError, match="images of any size; choose the side") as raised:
        opened(path)
    assert raised.value.setting == "size"
    assert opened(path, size=32).size == 32


def test_one_of_several_outputs_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.onnx", outputs=["features", "tokens"])
    with pytest.raises(RecipeError, match=r"several outputs; choose .*features .*tokens") as raised:
        opened(path)
    assert raised.value.setting == "layer"
    assert opened(path, output="tokens").shape == (1, 65, CHANNELS)
    with pytest.raises(WeightsError, match="no output 'logits', but features, tokens"):
        opened(path, output="logits")


def test_the_pooling_of_tokens_is_asked_for(tmp_path: Path) -> None:
    network = opened(write(tmp_path / "a.onnx", outputs=["tokens"]))
    with pytest.raises(RecipeError, match=r"65 tokens of 5 numbers; choose .*cls.*avg") as raised:
        network.chosen_pooling("auto")
    assert raised.value.setting == "pooling"
    assert network.chosen_pooling("cls") == "cls"
    assert network.n_features("cls") == CHANNELS
    with pytest.raises(RecipeError, match="choose one of: cls, avg, none"):
        network.chosen_pooling("max")


def test_the_preprocessing_is_asked_for(tmp_path: Path) -> None:
    network = opened(write(tmp_path / "a.onnx"))
    with pytest.raises(RecipeError, match=r"does not say how .*imagenet.*clip.*mean=") as raised:
        network.chosen_preprocessing("auto")
    assert raised.value.setting == "preprocess"
    assert network.chosen_preprocessing("none") == "identity"


def test_the_identity_follows_from_the_content(tmp_path: Path) -> None:
    one, other = write(tmp_path / "a.onnx"), write(tmp_path / "b.onnx")
    changed = write(tmp_path / "c.onnx", outputs=["pixels"])
    assert opened(one).identity == opened(other).identity != opened(changed).identity


def test_what_was_found_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warm run starts no other process, and need not have OpenVINO."""
    path = write(tmp_path / "a.onnx")
    first = opened(path)
    network_files._opened.cache_clear()
    monkeypatch.setattr(network_files, "_checked", None)
    assert opened(path) == first


def saved(path: Path, model: Any) -> Path:
    onnx.save(model, path)
    return path


def external(path: Path) -> Path:
    """Return a network whose weights are in another file."""
    model = onnx.load(write(path))
    onnx.save(
        model, path, save_as_external_data=True, location=f"{path.stem}.data", size_threshold=0
    )
    return path


def enormous(path: Path) -> Path:
    """Return a small file of a network that makes a tensor of terabytes."""
    shape = helper.make_node(
        "Constant",
        [],
        ["shape"],
        value=helper.make_tensor("s", TensorProto.INT64, [2], [2**20] * 2),
    )
    nodes = [
        shape,
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceMean", ["zeros"], ["mean"], keepdims=0),
        helper.make_node("ReduceMean", ["images"], ["pooled"], axes=[2, 3], keepdims=0),
        helper.make_node("Add", ["pooled", "mean"], ["features"]),
    ]
    of_images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 8, 8])
    of_features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "enormous", [of_images], [of_features])
    return saved(
        path, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    )


def garbage(path: Path) -> Path:
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    return path


def truncated(path: Path) -> Path:
    data = write(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (garbage, "cannot be used"),
        (truncated, "cannot be used"),
        (empty, "is empty"),
        (external, "its weights are in another file; save it with them in one file"),
        (enormous, "cannot be used"),
        (lambda path: write(path, operator=("com.mine", "Mine")), "com.mine.Mine"),
        (lambda path: write(path, channels=1), "expected an input with 3 channels"),
        (lambda path: write(path, sides=(16, 24)), "expected square images"),
        (lambda path: write(path, more_inputs=1), "expected one input"),
        (lambda path: write(path, outputs=["not_finite"]), "is not finite"),
        (lambda path: write(path, outputs=["random"]), "another one for the same image"),
        (lambda path: write(path, outputs=["constant"]), "the same for different images"),
    ],
    ids=[
        *("garbage", "truncated", "empty", "external", "enormous", "operator"),
        *("channels", "oblong", "inputs", "infinite", "random", "constant"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, make: Any, words: str) -> None:
    """In one sentence that names the file, after another process has tried."""
    path = make(tmp_path / "a.onnx")
    with pytest.raises(WeightsError) as raised:
        opened(path)
    assert words in str(raised.value)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)
    assert raised.value.setting == "backbone"


@pytest.mark.parametrize("folder", [".", "elsewhere"])
def test_weights_in_another_file_are_refused_wherever_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Else the SHA-256 of the file would not tell which network it is."""
    path = external(tmp_path / "a.onnx")
    (tmp_path / folder).mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / folder)
    with pytest.raises(WeightsError, match="its weights are in another file"):
        opened(path)


def test_an_empty_name_of_an_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="name of the output is empty"):
        opened(write(tmp_path / "a.onnx"), output="")


def test_means_of_values_up_to_255_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"values from 0 to 1.*divide by 255"):
        opened(write(tmp_path / "a.onnx")).chosen_preprocessing("mean=127,127,127;std=58,58,58")


@pytest.mark.parametrize("half", ["mean=.5,.5,.5", "std=1,1,1", "mean=1,2;std=1,1,1"])
def test_half_a_preprocessing_is_refused(tmp_path: Path, half: str) -> None:
    with pytest.raises(RecipeError, match="expected a mean and a standard deviation"):
        opened(write(tmp_path / "a.onnx")).chosen_preprocessing(half)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"there is no network file .*missing\.onnx"):
        opened(tmp_path / "missing.onnx")
    (tmp_path / "a.xml").write_text("<net/>")
    with pytest.raises(WeightsError, match=r"there is no network file .*a\.bin"):
        opened(tmp_path / "a.xml")


def test_a_network_that_ends_its_process_ends_only_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = f"import os; os.kill(os.getpid(), {int(os.name == 'posix') * 9})"
    monkeypatch.setattr(guarded, "_PROGRAM", program)
    with pytest.raises(WeightsError, match="the process that read and ran it once ended with"):
        opened(write(tmp_path / "a.onnx"))
