"""Images are decoded in processes that may die; the main process sees only their pixels."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from extract.images.decoders import pool as decoder_pool
from extract.images.decoders.pool import DecoderError, DecoderPool
from extract.images.decoding import decode
from tests.extract.decoders import children, decoders, ends, is_running

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[4]

# The real process, except that decoding does what the last bytes of the file say.
SABOTAGED = """
import sys; sys.path[:] = sys.argv[4:]
import os, signal, time
import extract.images.decoders.worker as d
real = d.render
def render(data, *args):
    if data.endswith(b"crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if data.endswith(b"sleep"):
        time.sleep(100)
    if data.endswith(b"loop"):
        while True: pass
    if data.endswith(b"mutter"):
        os.write(2, b"premature end")
        raise d.ImageError("damaged")
    if data.endswith(b"exit"):
        os._exit(3)
    if data.endswith(b"memory"):
        bytearray(8 * 2**30)
    return real(data, *args)
d.render = render
d.SECONDS_TO_DECODE = 0.5
d.work(*sys.argv[1:4])
"""


def picture(shade: int = 0) -> bytes:
    y, x = np.mgrid[0:40, 0:50]
    file = io.BytesIO()
    pixels = np.stack([x * 5, y * 6, np.full_like(x, shade)], axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def sabotaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_pool, "_COMMAND", SABOTAGED)


@pytest.fixture
def running() -> Callable[[], set[int]]:
    """Return what lists the decoders that this process has started since."""
    before = decoders(os.getpid())
    return lambda: decoders(os.getpid()) - before


def test_the_pixels_are_those_of_decoding_here(tmp_path: Path) -> None:
    """Another process changes no bit, and returns the digest of the bytes it read."""
    path = write(tmp_path / "a.png", picture())
    with DecoderPool(24) as pool:
        decoded = pool(path)
    assert decoded.digest == hashlib.sha256(picture()).hexdigest()
    assert decoded.image is not None
    np.testing.assert_array_equal(decoded.image, decode(picture(), 24))


def test_a_file_that_cannot_be_used_has_a_reason(tmp_path: Path) -> None:
    """With its digest, if it could be read."""
    with DecoderPool(24) as pool:
        text = pool(write(tmp_path / "a.jpg", b"text"))
        absent = pool(tmp_path / "b.jpg")
    assert text.image is None
    assert text.digest == hashlib.sha256(b"text").hexdigest()
    assert text.reason.startswith("not an image")
    assert (absent.digest, absent.reason) == (None, "cannot be read: No such file or directory")


def test_names_are_bytes(tmp_path: Path) -> None:
    """A name may be no UTF-8, or contain a line break."""
    with DecoderPool(24) as pool:
        for name in (b"caf\xe9.png", b"a\nb.png", b"'\"$(x).png"):
            path = write(tmp_path / os.fsdecode(name), picture())
            assert pool(path).image is not None


def test_a_relative_path_is_that_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changing the working directory after the start has no effect."""
    with DecoderPool(24) as pool:
        pool(tmp_path / "start it")
        write(tmp_path / "a.png", picture())
        monkeypatch.chdir(tmp_path)
        assert pool(Path("a.png")).image is not None


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (b"crash", "the decoder died: Segmentation fault"),
        (b"exit", "the decoder ended with status 3"),
        (b"memory", "not enough memory to decode it"),
        (b"sleep", "took longer than 1 s to decode"),
    ],
)
@pytest.mark.usefixtures("sabotaged")
def test_a_decoder_that_fails_loses_that_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: bytes, reason: str
) -> None:
    """The images before and after are decoded, and the digest tells which image was lost."""
    monkeypatch.setattr(decoder_pool, "SECONDS_TO_DECODE", 1.0)
    good, bad = write(tmp_path / "a.png", picture()), write(tmp_path / "b.png", picture(1) + end)
    with DecoderPool(24) as pool:
        assert pool(good).image is not None
        lost = pool(bad)
        assert pool(good).image is not None
    assert (lost.image, lost.reason) == (None, reason)
    assert lost.digest == hashlib.sha256(bad.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "answer", [b"+", b"+\0\0\xff\xff\0\0\xff\xff\0", b"+" + b"\0" * 9, b"-\xff"]
)
def test_a_decoder_that_sends_nonsense_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """An image that takes over its decoder gains nothing, and loses only itself."""
    path = write(tmp_path / "a.png", picture())
    with DecoderPool(24) as pool:
        assert pool(path).image is not None
        answers = iter([b"+" + b"0" * 64, answer])
        with monkeypatch.context() as patch:
            patch.setattr(decoder_pool._Decoder, "_receive", lambda *_: next(answers))
            lost = pool(path)
        assert lost.image is None
        assert "sent what is no image" in lost.reason
        assert pool(path).image is not None


def test_a_decoder_killed_while_it_decodes_loses_that_image(
    tmp_path: Path, running: Callable[[], set[int]]
) -> None:
    """SIGSEGV from outside, in the middle of a large image: no part of it is used."""
    large = tmp_path / "large.png"
    Image.new("RGB", (7000, 7000), (1, 2, 3)).save(large, compress_level=1)
    good = write(tmp_path / "a.png", picture())
    killed = []

    def kill_when_large() -> None:
        while not killed and is_running(decoder):
            pages = int(Path(f"/proc/{decoder}/statm").read_text().split()[1])
            if pages * os.sysconf("SC_PAGESIZE") > 150e6:
                os.kill(decoder, signal.SIGSEGV)
                killed.append(decoder)
            time.sleep(0.001)

    with DecoderPool(24) as pool:
        assert pool(good).image is not None
        (decoder,) = running()
        thread = threading.Thread(target=kill_when_large)
        thread.start()
        lost = pool(large)
        thread.join()
        assert pool(good).image is not None
    assert killed
    assert (lost.image, lost.reason) == (None, "the decoder died: Segmentation fault")


def test_a_decoder_that_dies_between_images_loses_none(
    tmp_path: Path, running: Callable[[], set[int]]
) -> None:
    """The system may kill any process to free memory; this is not blamed on the next image."""
    path = write(tmp_path / "a.png", picture())
    with DecoderPool(24) as pool:
        pool(path)
        (decoder,) = running()
        os.kill(decoder, signal.SIGKILL)
        assert pool(path).image is not None
        assert running() != {decoder}


def test_a_jpeg_that_lacks_data_but_has_an_end_is_caught(
    tmp_path: Path, running: Callable[[], set[int]]
) -> None:
    """Decoders fill in grey; the warning of libjpeg does not affect the next image."""
    file = io.BytesIO()
    Image.open(io.BytesIO(picture())).resize((500, 400)).save(file, "JPEG")
    jpeg = file.getvalue()
    cut = write(tmp_path / "cut.jpg", jpeg[: len(jpeg) // 2] + b"\xff\xd9")
    whole = write(tmp_path / "whole.jpg", jpeg)
    with DecoderPool(24) as pool:
        assert pool(cut).reason == "damaged JPEG: a part of the image is missing"
        assert pool(whole).image is not None
        assert len(running()) == 1


@pytest.mark.usefixtures("sabotaged")
def test_the_warning_about_a_refused_image_does_not_affect_the_next(tmp_path: Path) -> None:
    """A decoder may warn and then fail; its warning is discarded with the image."""
    with DecoderPool(24) as pool:
        assert pool(write(tmp_path / "a.png", picture() + b"mutter")).reason == "damaged"
        assert pool(write(tmp_path / "b.png", picture())).image is not None


def test_the_size_limit_holds_in_opencv_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the check of the header is fooled, OpenCV refuses before it takes memory."""
    unchecked = SABOTAGED.replace(
        "real =",
        "import extract.images.decoding as i; from extract.images.formats import Header; "
        "i.check = lambda *_, **__: Header('PNG', bits=16); real =",
    )
    monkeypatch.setattr(decoder_pool, "_COMMAND", unchecked)
    path = write(tmp_path / "a.png", picture())
    for limit in (1999, 499):  # refused after decoding, and by OpenCV's own limit
        with DecoderPool(24, max_pixels=limit) as pool:
            assert f"more than {limit:,} pixels" in pool(path).reason
    with DecoderPool(24, max_pixels=2000) as pool:
        assert pool(path).image is not None


def test_as_many_decoders_as_callers(tmp_path: Path, running: Callable[[], set[int]]) -> None:
    """None is started before the first image, and idle ones are used again."""
    path = write(tmp_path / "a.png", picture())
    with DecoderPool(24) as pool:
        assert not running()
        threads = [threading.Thread(target=pool, args=[path]) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        started = running()
        assert 1 <= len(started) <= 3
        for _ in range(5):
            pool(path)
        assert running() == started


@pytest.mark.usefixtures("sabotaged")
def test_closing_leaves_no_process(tmp_path: Path) -> None:
    """Neither idle nor busy decoders are left, not even as zombies."""
    before = children(os.getpid())
    busy = write(tmp_path / "b.png", picture() + b"sleep")
    with DecoderPool(24) as pool:
        thread = threading.Thread(target=pool, args=[busy])
        thread.start()
        pool(write(tmp_path / "a.png", picture()))
        time.sleep(0.3)
        started = time.monotonic()
    thread.join()
    assert time.monotonic() - started < 5
    assert children(os.getpid()) <= before


def test_a_closed_pool_starts_no_decoder(tmp_path: Path) -> None:
    """Images that are still waiting fail at once."""
    with DecoderPool(24) as pool:
        pool(write(tmp_path / "a.png", picture()))
    before = children(os.getpid())
    with pytest.raises(DecoderError, match="closed"):
        pool(tmp_path / "a.png")
    assert children(os.getpid()) == before


def test_a_decoder_knows_nothing_of_tensorflow_and_ignores_ctrl_c(
    tmp_path: Path, running: Callable[[], set[int]]
) -> None:
    """It has loaded only OpenCV; an interrupt of the whole group does not end it."""
    with DecoderPool(24) as pool:
        pool(write(tmp_path / "a.png", picture()))
        (decoder,) = running()
        loaded = Path(f"/proc/{decoder}/maps").read_text()
        os.kill(decoder, signal.SIGINT)
        assert pool(tmp_path / "a.png").image is not None
        assert running() == {decoder}
        assert os.getpgid(decoder) != os.getpgid(0)
    assert "cv2" in loaded
    assert not any(name in loaded for name in ("tensorflow", "sklearn", "keras"))


def test_decoders_that_cannot_be_started_are_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing OpenCV or interpreter is not blamed on an image."""
    path = write(tmp_path / "a.png", picture())
    broken = "import sys; sys.modules['cv2'] = None; " + decoder_pool._COMMAND
    monkeypatch.setattr(decoder_pool, "_COMMAND", broken)
    with DecoderPool(24) as pool, pytest.raises(DecoderError, match=r"start.*cv2"):
        pool(path)
    monkeypatch.setattr(decoder_pool, "_COMMAND", "raise SystemExit(7)")
    with DecoderPool(24) as pool, pytest.raises(DecoderError, match=r"start.*status 7"):
        pool(path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with DecoderPool(24) as pool, pytest.raises(DecoderError, match=r"start.*No such file"):
        pool(path)


def program(tmp_path: Path, body: str) -> subprocess.Popen[str]:
    """Start a program without `if __name__ == "__main__"`, as many people write them."""
    script = write(tmp_path / "program.py", textwrap.dedent(body).encode())
    return subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_users_program_is_not_run_again(tmp_path: Path) -> None:
    """A script needs no `if __name__ == "__main__"`."""
    path = write(tmp_path / "a.png", picture())
    code = f"""
        from pathlib import Path
        from extract.images.loading import load_images
        print("here", load_images([Path({str(path)!r})] * 3, 16).shape)
    """
    out, _ = program(tmp_path, code).communicate(timeout=60)
    assert out == "here (3, 16, 16, 3)\n"


@pytest.mark.parametrize("end", [b"", b"loop"], ids=["idle", "hanging"])
def test_no_decoder_outlives_a_killed_program(tmp_path: Path, end: bytes) -> None:
    """SIGKILL leaves no time to clean up: idle decoders notice, hanging ones have a limit."""
    path = write(tmp_path / "a.png", picture() + end)
    process = program(
        tmp_path,
        f"""
        import threading, time
        from pathlib import Path
        from extract.images.decoders import pool as decoder_pool
        decoder_pool._COMMAND = {SABOTAGED!r}
        pool = decoder_pool.DecoderPool(24)
        pool.__enter__()
        threading.Thread(target=pool, args=[Path({str(path)!r})]).start()
        time.sleep(100)
        """,
    )
    while not (found := decoders(process.pid)):
        assert process.poll() is None
        time.sleep(0.01)
    (pid,) = found
    time.sleep(0.5)  # so that it has the image that it hangs at
    assert is_running(pid)
    process.kill()
    process.communicate()
    assert ends(pid)
