"""Canary files: each sings, by making a file, if anything runs the code that it holds.

`SONGS` tells how a canary is opened by somebody who trusts it, to show that it can sing at all.
"""

from __future__ import annotations

import base64
import io
import json
import marshal
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import joblib
import numpy as np
import skops.io

from classify import persistence
from classify.estimators.logreg import LogReg

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = ("ant", "bee")
N_FEATURES = 512


class Canary:
    """Sings when it is unpickled."""

    def __init__(self, song: Path) -> None:
        self.song = song

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (code(self.song),)


def code(song: Path) -> str:
    """Return the song, in Python."""
    return f"open({str(song)!r}, 'w').close()"


def trained() -> LogReg:
    """Return a sound classifier of `N_FEATURES` features."""
    X = np.random.default_rng(0).normal(size=(20, N_FEATURES)).astype(np.float32)
    y = np.array(CLASSES)[np.arange(20) % 2]
    X[y == "bee"] += 1
    return LogReg(C=1.0, folds=2).fit(X, y)


# --- files that hold code ------------------------------------------------------------------------


def pickled(song: Path) -> bytes:
    return pickle.dumps(Canary(song), protocol=4)


def joblib_pickled(song: Path, compress: int = 0) -> bytes:
    buffer = io.BytesIO()
    joblib.dump([Canary(song), np.zeros(5)], buffer, compress=compress)
    return buffer.getvalue()


def npy_of_objects(song: Path) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Canary(song)], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def npz_of_objects(song: Path) -> bytes:
    return zipped({"about.npy": npy_of_objects(song), "weight_0.npy": npy_of_objects(song)})


def _lambda(song: Path) -> dict[str, Any]:
    """Return a model of Keras whose one layer is a `Lambda` that sings."""
    source = f"lambda x: ({code(song)}, x)[1]"
    body = base64.b64encode(marshal.dumps(eval(source).__code__)).decode()
    function = {"class_name": "__lambda__", "config": {"code": body}}
    function["config"] |= {"defaults": None, "closure": None}
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "name": "in"}},
        {"class_name": "Lambda", "config": {"name": "sing", "function": function, "arguments": {}}},
    ]
    for layer in layers:
        layer |= {"module": "keras.layers", "registered_name": None}
        layer["config"] |= {"dtype": "float32"}
    config = {"name": "model", "layers": layers}
    return {"module": "keras", "class_name": "Sequential", "config": config}


def keras_lambda(song: Path) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w"):
        pass
    members = {"metadata.json": b'{"keras_version": "3.15.0", "date_saved": ""}'}
    members["config.json"] = json.dumps({**_lambda(song), "registered_name": None}).encode()
    return zipped({**members, "model.weights.h5": buffer.getvalue()})


def h5_lambda(song: Path) -> bytes:
    def fill(file: h5py.File) -> None:
        file.attrs["keras_version"], file.attrs["backend"] = b"3.15.0", b"tensorflow"
        file.attrs["model_config"] = json.dumps(_lambda(song)).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([], dtype="S1")
        group.attrs["keras_version"], group.attrs["backend"] = b"3.15.0", b"tensorflow"

    return hdf5(fill)


def skops_unknown(song: Path) -> bytes:
    return skops.io.dumps({"model": Unknown(str(song))})


class Unknown:
    """A type that skops does not know: it sings when skops sets its state."""

    def __init__(self, song: str) -> None:
        self.song = song

    def __setstate__(self, state: dict[str, Any]) -> None:
        Path(state["song"]).touch()


def skops_forged(song: Path, name: str) -> bytes:
    """Return a model of ours in which something else stands in place of an attribute."""
    del song
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(trained()))) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    schema = json.loads(members["schema.json"])
    attributes = schema["content"]["content"]
    attributes["classes_"] = FORGED[name](attributes["classes_"])
    return zipped({**members, "schema.json": json.dumps(schema).encode()})


def _node(loader: str, module: str, cls: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"__loader__": loader, "__module__": module, "__class__": cls, "content": content} | more


FORGED: dict[str, Callable[[Any], Any]] = {
    "function": lambda _: _node("FunctionNode", "os", "system", "system"),
    "type": lambda _: _node("TypeNode", "subprocess", "Popen", "Popen"),
    "method": lambda old: _node(
        "MethodNode", "builtins", "method", {"func": "__reduce_ex__", "obj": old}
    ),
    "methodcaller": lambda old: _node(
        "OperatorFuncNode", "operator", "methodcaller", None, attrs=old
    ),
    "partial": lambda old: _node(
        "PartialNode",
        "functools",
        "partial",
        {
            "func": _node("FunctionNode", "os", "system", "system"),
            "args": old,
            "kwds": old,
            "namespace": old,
        },
    ),
    "constructor": lambda old: _node("ConstructorFromReduceNode", "os", "system", old),
    "estimator": lambda old: _node("ObjectNode", "sklearn.svm._classes", "SVC", old),
    "ours in ours": lambda old: _node("ObjectNode", "classify.estimators.logreg", "LogReg", old),
    "reduce": lambda old: _node("ReduceNode", "os", "system", old, reduce={"args": old}),
    "no loader": lambda old: _node("NoSuchNode", "os", "system", old),
    "nothing": lambda _: None,
    "a number": lambda _: 5,
}


# --- files that lie ------------------------------------------------------------------------------


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def hdf5(fill: Callable[[h5py.File], None]) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


def listed(fill: Callable[[h5py.Group], None]) -> bytes:
    """Return weights as Keras 2 listed them, whose one array `fill` makes under the name `w`."""

    def both(file: h5py.File) -> None:
        file.attrs["layer_names"] = [b"layer"]
        group = file.create_group("layer")
        group.attrs["weight_names"] = [b"w"]
        fill(group)

    return hdf5(both)


def npy_header(header: str) -> bytes:
    """Return an array file with a header of one's own and four bytes of data."""
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(4)


def claimed(*shape: int) -> bytes:
    return npy_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}")


def network(**changed: Any) -> bytes:
    """Return a dense head's file whose description is changed."""
    about = {
        "format": persistence.FORMAT,
        "classifier": "dense",
        "params": {},
        "classes": CLASSES,
        "sample_shape": [N_FEATURES],
        "history": {},
    } | changed
    return network_with(json.dumps(about).encode())


def network_with(about: bytes) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, about=np.frombuffer(about, np.uint8), weight_0=np.zeros(3, np.float32))
    return buffer.getvalue()


def skops_bomb() -> bytes:
    return zipped({"schema.json": b" " * 10**7}, zipfile.ZIP_DEFLATED)


def zip_that_says(size: int) -> bytes:
    """Return a zip file whose member claims another size."""
    data = zipped({"weight_0.npy": claimed(1)})
    at = data.rindex(b"PK\x01\x02") + 20
    return data[:at] + struct.pack("<LL", size, size) + data[at + 8 :]


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


def songs(folder: Path) -> dict[str, tuple[bytes, Callable[[Path], object]]]:
    """Return files that hold code, by name, with what a trusting reader does with each."""
    song = folder / "song"
    return {
        "a pickle": (pickled(song), lambda path: pickle.loads(path.read_bytes())),
        "a joblib pickle": (joblib_pickled(song), joblib.load),
        "a packed joblib pickle": (joblib_pickled(song, compress=3), joblib.load),
        "an array of objects": (
            npy_of_objects(song),
            lambda path: np.load(path, allow_pickle=True),
        ),
        "arrays of objects": (
            npz_of_objects(song),
            lambda path: dict(np.load(path, allow_pickle=True)),
        ),
        "skops with an unknown type": (
            skops_unknown(song),
            lambda path: skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path)),
        ),
        "a packed pickle": (zlib.compress(pickled(song)), joblib.load),
    }


def keras_songs(folder: Path) -> dict[str, bytes]:
    """Return models of Keras that hold code, by name; it takes TensorFlow to make them sing."""
    song = folder / "song"
    return {"a Lambda in .keras": keras_lambda(song), "a Lambda in .h5": h5_lambda(song)}


def lying_models() -> dict[str, bytes]:
    """Return files given as models that hold no code, but lie."""
    forged = {
        f"skops with a forged {name}": skops_forged(Path(os.devnull), name) for name in FORGED
    }
    whole = skops.io.dumps(trained())
    return forged | {
        "a shape of terabytes": zipped({"about.npy": claimed(10**6, 10**6)}),
        "a shape below zero": zipped({"about.npy": claimed(-1, 4)}),
        "a shape beyond counting": zipped({"about.npy": claimed(2**63, 2**63)}),
        "a header that is no header": zipped({"about.npy": npy_header("{'descr': (")}),
        "a header that is code": zipped({"about.npy": npy_header("__import__('os').abort()")}),
        "a bomb": zipped({"about.npy": bytes(10**7)}, zipfile.ZIP_DEFLATED),
        "a skops bomb": skops_bomb(),
        "a size that is a lie": zip_that_says(2**31),
        "a size near the end": zip_that_says(2**32 - 2),
        "a deep description": network_with(DEEP),
        "a deep schema": zipped({"schema.json": DEEP}),
        "a wide description": network(sample_shape=[10**9]),
        "a description of another network": network(classifier="os:system"),
        "no description": network_with(b"null"),
        "a list": network_with(b"[]"),
        "parameters that are none": network(params={"epochs": {"__class__": "os.system"}}),
        "half a model": whole[: len(whole) // 2],
        "text": b"import os",
        "nothing": b"",
    }


def lying_weights(elsewhere: Path) -> dict[str, bytes]:
    """Return files given as weights that hold no code, but lie; `elsewhere` is another file."""
    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource(str(elsewhere), "w", shape=(4,))
    return {
        "weights elsewhere, by a link.h5": listed(
            lambda group: group.__setitem__("w", h5py.ExternalLink(str(elsewhere), "/w"))
        ),
        "weights elsewhere, by storage.h5": listed(
            lambda group: (
                group.create_dataset(
                    "w", (4,), "u1", external=[(str(elsewhere), 0, h5py.h5f.UNLIMITED)]
                )
                and None
            )
        ),
        "weights elsewhere, by a view.h5": listed(
            lambda group: group.create_virtual_dataset("w", layout) and None
        ),
        "weights by a soft link.h5": listed(
            lambda group: group.__setitem__("w", h5py.SoftLink("/layer"))
        ),
        "weights of terabytes.h5": listed(
            lambda group: group.create_dataset("w", (10**6, 10**6), "f4", chunks=(64, 64)) and None
        ),
        "weights of many gigabytes.h5": listed(
            lambda group: group.create_dataset("w", (10**5, 10**5), "f4", chunks=(64, 64)) and None
        ),
        "Keras 3 with terabytes.weights.h5": hdf5(
            lambda file: (
                file.create_dataset("layers/w/vars/0", (10**6, 10**6), "f4", chunks=(9, 9)) and None
            )
        ),
        "Keras 3 with a link.weights.h5": hdf5(
            lambda file: file.create_group("layers").__setitem__(
                "w", h5py.ExternalLink(str(elsewhere), "/w")
            )
        ),
        "weights of words.h5": listed(
            lambda group: group.create_dataset("w", data=["a", "b"]) and None
        ),
        "weights that are a folder.h5": listed(lambda group: group.create_group("w") and None),
        "weights without a list.h5": hdf5(
            lambda file: file.create_dataset("w", data=[1.0]) and None
        ),
        "weights by a bomb.h5": listed(
            lambda group: (
                group.create_dataset("w", data=np.zeros(10**7, "f4"), compression=9) and None
            )
        ),
        "a bomb.npz": zipped({"a.npy": bytes(10**8)}, zipfile.ZIP_DEFLATED),
        "a shape of terabytes.npz": zipped({"a.npy": claimed(10**6, 10**6)}),
        "a header that is no header.npz": zipped({"a.npy": npy_header("{'descr': (")}),
        "a member that is no array.npz": zipped({"a.txt": b"hello"}),
        "a size that is a lie.npz": zip_that_says(2**31),
        "an array in place of an archive.npz": claimed(1),
        "sound, but others.npz": zipped({"a.npy": claimed(1)}),
        "text.h5": b"import os",
        "nothing.npz": b"",
    }
