"""Files of web servers, and servers that refuse."""

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from pydantic import ValidationError

from kubefit.api.fetch import Fetch
from kubefit_trainer.fetch import FetchError, carry_out, credentials

WEIGHTS = hashlib.sha256(b"weights").hexdigest()
DENIED = b"<Error><Code>AccessDenied</Code><Message>AKIA much-too-secret</Message></Error>"


def _fetch(volume: Path, secrets: Path | None = None, **given: str) -> list[str]:
    told: list[str] = []
    wanted = [Fetch.model_validate(given)]
    carry_out(wanted, volume=volume, tell=told.append, secrets=secrets, waits=())
    return told


def test_a_file_is_fetched_once_and_proven_by_its_checksum(web, tmp_path) -> None:
    (web.folder / "weights.h5").write_bytes(b"weights")
    given = {"from": f"{web.url}/weights.h5?signature=abc", "to": "vgg.h5", "sha256": WEIGHTS}
    told = _fetch(tmp_path, **given)
    assert (tmp_path / "vgg.h5").read_bytes() == b"weights"
    assert not any("abc" in words for words in told)
    records = (tmp_path / ".kubefit/fetch").rglob("*.json")
    assert ["abc" in record.read_text() for record in records] == [False]
    asked = len(web.asked)
    _fetch(tmp_path, **given | {"from": f"{web.url}/weights.h5?signature=of-today"})
    assert len(web.asked) == asked


def test_another_file_is_refused(web, tmp_path) -> None:
    (web.folder / "weights.h5").write_bytes(b"others")
    with pytest.raises(FetchError, match=r"^spec.fetch\[0\].sha256: http://127"):
        _fetch(tmp_path, **{"from": f"{web.url}/weights.h5", "to": "vgg.h5", "sha256": WEIGHTS})
    assert not (tmp_path / "vgg.h5").exists()


def test_a_file_that_is_not_there_is_named(web, tmp_path) -> None:
    with pytest.raises(
        FetchError, match=r"^spec.fetch\[0\].from: there is no http://127"
    ) as caught:
        _fetch(tmp_path, **{"from": f"{web.url}/none.h5", "to": "vgg.h5", "sha256": WEIGHTS})
    assert caught.value.permanent


def _answering(
    status: int, body: bytes = b"", headers: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    """A server that has one answer to every request."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serve = functools.partial(server.serve_forever, poll_interval=0.05)
    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def refusing() -> Iterator[str]:
    """A server that refuses every request with 403, in the words of S3."""
    yield from _answering(403, DENIED)


@pytest.fixture
def busy() -> Iterator[str]:
    """A server that cannot answer now."""
    yield from _answering(503)


@pytest.fixture
def redirecting(busy) -> Iterator[str]:
    """A server that sends to one that cannot answer, with a signature of its own."""
    yield from _answering(302, headers={"Location": f"{busy}/x?sig=ghi%2Fjkl%3D"})


@pytest.mark.parametrize("server", ["busy", "redirecting"])
def test_no_signature_of_an_address_is_told(server, request, tmp_path) -> None:
    url = f"{request.getfixturevalue(server)}/x?sig=abc%2Fdef%3D"
    with pytest.raises(FetchError, match="503") as caught:
        _fetch(tmp_path, **{"from": url, "to": "x", "sha256": WEIGHTS})
    assert not caught.value.permanent
    assert not any(part in str(caught.value) for part in ("abc", "def", "ghi", "jkl"))


def test_what_no_checksum_proves_is_not_fetched_in_clear_by_way_of_a_redirect(
    redirecting, tmp_path
) -> None:
    # As an https:// source would be: the schema takes no other without a checksum.
    wanted = Fetch.model_construct(source=f"{redirecting}/x", to="x")
    with pytest.raises(FetchError) as caught:
        carry_out([wanted], volume=tmp_path, tell=print, secrets=None, waits=())
    assert str(caught.value).startswith(f"spec.fetch[0].sha256: {redirecting}/x leads on to http:")
    assert "ghi" not in str(caught.value)
    assert caught.value.permanent


def test_an_object_store_in_clear_is_not_sent_the_identity_of_the_pod() -> None:
    given = {"from": "gs://pets/x", "to": "x", "endpoint": "http://store"}
    assert credentials.options(Fetch.model_validate(given), {}, field="f")["token"] == "anon"
    del given["endpoint"]
    assert "token" not in credentials.options(Fetch.model_validate(given), {}, field="f")


def test_credentials_that_may_not_read_are_named_by_their_secret(
    refusing, tmp_path, secrets
) -> None:
    given = {"from": "s3://pets/x", "to": "x", "endpoint": refusing, "secretName": "bucket"}
    with pytest.raises(FetchError) as caught:
        _fetch(tmp_path, secrets, **given)
    assert str(caught.value) == (
        "spec.fetch[0].secretName: the credentials of the Secret 'bucket' may not read s3://pets/x"
    )
    assert caught.value.permanent


def test_what_may_not_be_read_without_credentials_asks_for_a_secret(
    refusing, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for given in (
        {"from": "s3://pets/x", "to": "x", "endpoint": refusing},
        {"from": f"{refusing}/x", "to": "x", "sha256": WEIGHTS},
    ):
        with pytest.raises(FetchError, match="name a Secret with them in secretName"):
            _fetch(tmp_path, **given)


@pytest.mark.parametrize(
    "given",
    [
        {"from": "http://host/x", "to": "x"},
        {"from": "https://user:word@host/x", "to": "x"},
        {"from": "ftp://host/x", "to": "x"},
        {"from": "https://host/x", "to": "../x"},
        {"from": "https://host/x", "to": "/x"},
        {"from": "https://host/x", "to": "x", "endpoint": "https://other"},
        {"from": "http://host/x", "to": "x", "sha256": WEIGHTS, "secretName": "token"},
        {"from": "gs://pets/x", "to": "x", "endpoint": "http://other", "secretName": "token"},
    ],
)
def test_what_cannot_be_safe_or_makes_no_sense_is_refused_by_the_schema(given) -> None:
    with pytest.raises(ValidationError):
        Fetch.model_validate(given)


def test_requests_that_are_signed_may_go_in_clear() -> None:
    given = {"from": "s3://pets/x", "to": "x", "endpoint": "http://minio", "secretName": "bucket"}
    assert Fetch.model_validate(given).secret_name == "bucket"
