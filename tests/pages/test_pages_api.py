"""The server without a browser: what programs and attackers send it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import cv2
import pytest
import requests

from classify.predict import predict
from extract.shapes import jpeg, picture

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def ask(server: str, data: bytes, **headers: str) -> requests.Response:
    return requests.post(f"{server}/api/classify", data=data, headers=headers, timeout=30)


def test_the_answer_is_that_of_predict(server: str, report: Path, tmp_path: Path) -> None:
    """The same class, and the same probability but for the last digits."""
    path = tmp_path / "new.png"
    cv2.imwrite(str(path), picture("test", 120)[:, :, ::-1])
    found = ask(server, path.read_bytes()).json()
    home = report.parents[1]
    (expected,) = predict(
        report.parent, [path], cache=str(home / "cache"), weights=str(home / "vgg16.npz")
    )
    assert found["label"] == expected.label
    assert found["probability"] == pytest.approx(expected.probability, abs=1e-5)
    assert sum(one["probability"] for one in found["probabilities"]) == pytest.approx(1)


def test_a_training_picture_is_its_own_nearest(server: str, report: Path) -> None:
    """With a cosine of one, and its place is where the map has its like."""
    path = report.parents[1] / "pictures" / "train" / "disc" / "7.png"
    path = path if path.exists() else next(path.parent.glob("*.png"))
    found = ask(server, path.read_bytes()).json()
    near = found["neighbours"][0]
    assert near["name"] == f"train/disc/{path.name}"
    assert near["similarity"] == pytest.approx(1, abs=1e-5)
    assert [one["similarity"] for one in found["neighbours"]] == sorted(
        (one["similarity"] for one in found["neighbours"]), reverse=True
    )
    thumbnail = requests.get(server + near["thumbnail"], timeout=10)
    assert thumbnail.headers["content-type"] == "image/jpeg"
    assert thumbnail.content.startswith(b"\xff\xd8\xff")
    assert 0 <= found["place"]["x"] <= 1
    assert 0 <= found["place"]["y"] <= 1


def test_ten_at_a_time_are_answered_alike(server: str) -> None:
    """As one after the other, without an error."""
    pictures = [jpeg(picture("test", i)) for i in range(10)]
    alone = [ask(server, data).json()["probability"] for data in pictures]
    with ThreadPoolExecutor(10) as pool:
        together = list(pool.map(lambda data: ask(server, data), pictures * 3))
    assert {response.status_code for response in together} == {200}
    assert [response.json()["probability"] for response in together] == alone * 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (b"hello", "not an image"),
        (jpeg(picture("test", 0))[:500], "truncated JPEG"),
        (b"P6\n60000 60000\n255\n", "more than 50,000,000 pixels"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(
    server: str, data: bytes, words: str
) -> None:
    """As an extraction says it; the server goes on."""
    response = ask(server, data)
    assert response.status_code == 422
    assert words in response.json()["detail"]
    assert ask(server, jpeg(picture("test", 0))).status_code == 200


def test_an_upload_has_a_limit_announced_or_not(server: str) -> None:
    """By its length before it is read; without one, as soon as it is too long."""
    large = 33 * 2**20
    assert ask(server, bytes(large)).status_code == 413

    def drops() -> object:
        for _ in range(large // 2**20):
            yield bytes(2**20)

    # It may hang up while there is still much to send.
    with contextlib.suppress(requests.ConnectionError):
        assert ask(server, drops()).status_code == 413  # type: ignore[arg-type]
    assert ask(server, jpeg(picture("test", 0))).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../run.json",
        "/%2e%2e/run.json",
        "/api/training/..%2f..%2frun.json/thumbnail",
        "/api/training/-1/thumbnail",
        "/api/training/99999999999999999999/thumbnail",
        "/api/training//etc/passwd/thumbnail",
        "/static/style.css",
    ],
)
def test_no_request_names_a_file_of_the_server(server: str, path: str) -> None:
    """Training pictures have numbers; nothing else is given out."""
    where = urlsplit(server)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split()[1] in (b"404", b"422")
    assert b"schema" not in answer
    assert b"root:" not in answer


def test_another_site_cannot_pass_for_the_server(server: str) -> None:
    """A name that was made to lead to this computer is refused."""
    response = requests.get(f"{server}/", headers={"Host": "evil.example"}, timeout=10)
    assert response.status_code == 400
    local = server.replace("127.0.0.1", "localhost")
    assert requests.get(f"{local}/", timeout=10).status_code == 200


def test_it_listens_on_this_computer_alone(server: str) -> None:
    """On 127.0.0.1 and on no other address."""
    port = urlsplit(server).port
    assert urlsplit(server).hostname == "127.0.0.1"
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.2", port)) != 0


def test_the_schema_says_what_is_answered(server: str) -> None:
    """OpenAPI for programs, and a page of it for people that loads nothing from elsewhere."""
    schema = requests.get(f"{server}/openapi.json", timeout=10).json()
    answer = schema["components"]["schemas"]["Answer"]["properties"]
    found = ask(server, jpeg(picture("test", 0))).json()
    assert set(answer) == set(found)
    operation = schema["paths"]["/api/classify"]["post"]
    assert set(operation["responses"]) == {"200", "413", "422"}
    assert "application/octet-stream" in operation["requestBody"]["content"]
    page = requests.get(f"{server}/docs", timeout=10).text
    for words in ("POST /api/classify", "Answer", "list of TrainingPicture", "curl"):
        assert words in page
    assert 'src="http' not in page


def test_wrong_arguments_are_clear_messages(report: Path) -> None:
    """Of the user's, with status 2, before anything is loaded."""
    home = report.parents[1]

    def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "classify.serve", *arguments]
        return subprocess.run(
            command, cwd=home, capture_output=True, text=True, check=False, timeout=60
        )

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, words in (
            (("gone",), "is not a run"),
            (("run", "--clf", "cnn", "--cache", "cache"), "it holds: svm, nearest, centroid"),
            (("run", "--port", port), "cannot listen on 127.0.0.1"),
            (("run", "--port", "99999"), "expected a number from 0 to 65535"),
            (("run", "--host", "no.such.host.invalid"), "cannot listen on"),
        ):
            done = serve(*arguments)
            assert done.returncode == 2, done.stderr
            assert words in done.stderr
            assert "Traceback" not in done.stderr
