"""The examples of docs/deploy.md run where this package is not installed."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from classify import load_model
from tests.commands import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
RUNTIMES = {"ONNX Runtime": ".onnx", "OpenVINO": ".xml", "Keras": ".keras", "LiteRT": ".tflite"}
OURS = ("cache", "classify", "extract", "reports", "toolkit")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Return what runs Python in a virtual environment that has the other packages, not ours."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder, with_pip=False)
    packages = sysconfig.get_path("purelib", vars={"base": str(folder)})
    # A .pth file is not read within a folder that is named in another one, so ours is not found.
    Path(packages, "others.pth").write_text(sysconfig.get_path("purelib"))
    python = Path(sysconfig.get_path("scripts", vars={"base": str(folder)})) / "python"

    def run(program: str, cwd: Path) -> str:
        done = subprocess.run(
            [python, "-E", "-c", program], cwd=cwd, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def example(runtime: str) -> str:
    found = re.search(rf"^\*\*{runtime}\*\*.*?^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, runtime
    return found[1]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_example_predicts_without_this_package(
    home: Path, tmp_path: Path, elsewhere: Callable[..., str], runtime: str
) -> None:
    """A few lines, and the answer of the model for a picture on its side and half transparent."""
    model = load_model(
        home / "today", "logreg", weights=str(home / "mobilenet.weights.h5"), cache=home / "cache"
    )
    model.export(tmp_path / f"model{RUNTIMES[runtime]}")
    upright = Image.open(home / "pictures" / "test" / "star" / "004.jpg").resize((90, 60))
    upright.putalpha(Image.linear_gradient("L").resize((90, 60)))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.save(tmp_path / "new.jpg", "PNG", exif=exif)
    ours = "import importlib.util as u; print([n for n in %r if u.find_spec(n)])"
    assert elsewhere(ours % (OURS,), tmp_path) == "[]\n"
    program = example(runtime)
    assert len(program.splitlines()) <= 14
    label, probability = elsewhere(program, tmp_path).split()
    expected = model.predict_proba([tmp_path / "new.jpg"])[0]
    assert label == model.classes_[expected.argmax()]
    assert float(probability) == pytest.approx(expected.max(), abs=0.01)


def test_the_examples_import_nothing_of_ours() -> None:
    """Nor do they need more than a decoder, NumPy and the runtime."""
    for runtime in RUNTIMES:
        modules = re.findall(r"^(?:import|from) (\w+)", example(runtime), re.MULTILINE)
        assert set(modules).isdisjoint(OURS)
    assert sys.executable not in PAGE
