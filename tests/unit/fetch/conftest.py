"""Stores on loopback: an S3 server, and web servers with and without TLS."""

import datetime
import functools
import http.server
import ipaddress
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moto.server import ThreadedMotoServer

KEY = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "much-too-secret"}


class Store:
    """A bucket of an S3 server."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEY["AWS_SECRET_ACCESS_KEY"],
        )
        self._client.create_bucket(Bucket="pets")

    def put(self, key: str, content: bytes) -> None:
        self._client.put_object(Bucket="pets", Key=key, Body=content)

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket="pets", Key=key)


@pytest.fixture(scope="session")
def _s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def store(_s3: str) -> Store:
    """An empty bucket `pets`."""
    request = urllib.request.Request(f"{_s3}/moto-api/reset", method="POST")
    urllib.request.urlopen(request).close()
    return Store(_s3)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """Secrets as a pod has them; `bucket` opens the store."""
    folder = tmp_path / "secrets"
    for name, value in KEY.items():
        file = folder / "bucket" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")
    return folder


class Web:
    """A web server and the folder that it serves; remembers what it was asked for."""

    def __init__(self, folder: Path, context: ssl.SSLContext | None) -> None:
        self.folder = folder
        self.asked: list[str] = []
        web = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_request(self, code: object = "-", size: object = "-") -> None:
                web.asked.append(f"{self.command} {self.path}")

            def log_message(self, *_: object) -> None:
                return

        handler = functools.partial(Handler, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        serve = functools.partial(self._server.serve_forever, poll_interval=0.05)
        threading.Thread(target=serve, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """A web server without TLS."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = Web(folder, None)
    yield server
    server.close()


@pytest.fixture
def tls_web(tmp_path: Path) -> Iterator[tuple[Web, Path]]:
    """A web server with TLS, and the certificate that proves it."""
    folder = tmp_path / "tls-web"
    folder.mkdir()
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Web(folder, context)
    yield server, certificate
    server.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "web.crt", folder / "web.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
