"""The server without a browser: what programs and attackers send it."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import cv2
import pytest
import requests

from classify.serving.model import Model
from extract.datasets.shapes import draw_image, encode_jpeg
from extract.images.thumbnails import open_thumbnails
from tests.commands import run_command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


UPLOAD = "application/octet-stream"


def ask(server: str, data: bytes, kind: str = UPLOAD) -> requests.Response:
    headers = {"Content-Type": kind}
    return requests.post(f"{server}/api/classify", data=data, headers=headers, timeout=30)


def connected(server: str) -> socket.socket:
    where = urlsplit(server)
    return socket.create_connection((where.hostname, where.port), timeout=10)


def received(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_the_answer_is_that_of_predict(server: str, report: Path, tmp_path: Path) -> None:
    """The same class, and the same probability but for the last digits."""
    path = tmp_path / "new.png"
    cv2.imwrite(str(path), draw_image("test", 120)[:, :, ::-1])
    found = ask(server, path.read_bytes()).json()
    home = report.parents[1]
    model = Model(report.parent, cache=home / "cache", weights=str(home / "vgg16.npz"))
    (expected,) = model.predict_files([path])
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
    image = requests.get(server + near["thumbnail"], timeout=10)
    assert image.headers["content-type"] == "image/jpeg"
    with open_thumbnails() as thumbnail:
        assert image.content == thumbnail(path, 128)
    points = json.loads((report.parent / "run.json").read_text())["embedding_map"]["points"]
    (own,) = (point for point in points if point["path"] == near["name"])
    assert found["place"]["x"] == pytest.approx(own["x"], abs=0.02)
    assert found["place"]["y"] == pytest.approx(own["y"], abs=0.02)


def test_ten_at_a_time_are_answered_alike(server: str) -> None:
    """As one after the other, without an error."""
    pictures = [encode_jpeg(draw_image("test", i)) for i in range(10)]
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
        (encode_jpeg(draw_image("test", 0))[:500], "truncated JPEG"),
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
    assert ask(server, encode_jpeg(draw_image("test", 0))).status_code == 200


def test_an_upload_has_a_limit_announced_or_not(server: str) -> None:
    """By its length before it is read; without one, as soon as it is too long."""
    large = 33 * 2**20
    assert ask(server, bytes(large)).status_code == 413

    head = (
        f"POST /api/classify HTTP/1.1\r\nHost: {urlsplit(server).netloc}\r\n"
        f"Content-Type: {UPLOAD}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with connected(server) as connection:
        connection.sendall(head.encode())
        for _ in range(33):  # and never an end
            connection.sendall(b"100000\r\n" + bytes(2**20) + b"\r\n")
        assert connection.recv(65536).split()[1] == b"413"
    assert ask(server, encode_jpeg(draw_image("test", 0))).status_code == 200


def test_a_client_that_goes_away_leaves_no_trace(server: str) -> None:
    """The server goes on, and its terminal stays clean (the fixture looks at it)."""
    head = (
        f"POST /api/classify HTTP/1.1\r\nHost: {urlsplit(server).netloc}\r\n"
        f"Content-Type: {UPLOAD}\r\nContent-Length: 100000\r\n\r\n"
    )
    with connected(server) as connection:
        connection.sendall(head.encode() + bytes(1000))
    assert ask(server, encode_jpeg(draw_image("test", 0))).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "image/jpeg"])
def test_only_bytes_are_taken(server: str, kind: str) -> None:
    """What a page of another site may send without asking is refused, and a form is told how."""
    response = ask(server, encode_jpeg(draw_image("test", 0)), kind)
    assert response.status_code == 415
    assert "the bytes of an image file as the body" in response.json()["detail"]


def test_no_other_site_may_show_or_read_it(server: str) -> None:
    """By the headers of every answer."""
    for path in ("/", "/docs", "/openapi.json"):
        headers = requests.get(server + path, timeout=10).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


def test_a_training_picture_that_is_gone_is_told_of(server: str, report: Path) -> None:
    """And one that there never was."""
    path = next((report.parents[1] / "pictures" / "train" / "star").glob("*.png"))
    near = ask(server, path.read_bytes()).json()["neighbours"][0]
    hidden = path.rename(path.with_suffix(".hidden"))
    try:
        gone = requests.get(server + near["thumbnail"], timeout=10)
    finally:
        hidden.rename(path)
    assert gone.status_code == 404
    assert "no longer where it was" in gone.json()["detail"]
    never = requests.get(f"{server}/api/training/{'0' * 64}/thumbnail", timeout=10)
    assert never.status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../run.json",
        "/%2e%2e/run.json",
        "/api/training/..%2f..%2frun.json/thumbnail",
        "/api/training/1/thumbnail",
        "/api/training//etc/passwd/thumbnail",
        "/static/style.css",
    ],
)
def test_no_request_names_a_file_of_the_server(server: str, path: str) -> None:
    """Training pictures have numbers; nothing else is given out."""
    with connected(server) as connection:
        host = urlsplit(server).netloc
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = received(connection)
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
    answer = schema["components"]["schemas"]["PredictionResponse"]["properties"]
    found = ask(server, encode_jpeg(draw_image("test", 0))).json()
    assert set(answer) == set(found)
    operation = schema["paths"]["/api/classify"]["post"]
    assert set(operation["responses"]) == {"200", "408", "413", "415", "422", "503"}
    assert "application/octet-stream" in operation["requestBody"]["content"]
    page = requests.get(f"{server}/docs", timeout=10).text
    for words in ("POST /api/classify", "PredictionResponse", "list of SimilarImage", "curl"):
        assert words in page
    assert 'src="http' not in page


def test_wrong_arguments_are_clear_messages(report: Path) -> None:
    """Of the user's, with status 2, before anything is loaded."""
    home = report.parents[1]

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
            (("run", "--host", ".."), "cannot listen on"),
        ):
            done = run_command("classify.serve", *arguments, cwd=home)
            assert done.returncode == 2, done.stderr
            assert words in done.stderr
            assert "Traceback" not in done.stderr
