"""Objects of a Google-like store and files of a hub arrive as those of S3 do."""

import base64
import functools
import hashlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubefit.api.fetch import Fetch
from kubefit_trainer.fetch import FetchError, carry_out

FILES = {"photos/cat/1.png": b"one", "photos/dog/1.png": b"three", "weights.h5": b"weights"}
PHOTOS = {"cat/1.png": b"one", "dog/1.png": b"three"}


class Server(http.server.ThreadingHTTPServer):
    """A store on loopback with `files`; says 401 to whoever does not show its token."""

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.files = dict(FILES)
        self.token = ""
        self.downloads = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        return

    def asked(self) -> tuple[str, dict[str, str]]:
        """Path, and the query by name."""
        parts = urllib.parse.urlsplit(self.path)
        return urllib.parse.unquote(parts.path), dict(urllib.parse.parse_qsl(parts.query))

    def is_refused(self) -> bool:
        token = self.server.token
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            self.answer({"error": "Invalid username or password."}, 401)
            return True
        return False

    def answer(self, found: Any, status: int = 200, **headers: str) -> None:
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(status)
        kind = "octet-stream" if isinstance(found, bytes) else "json"
        self.send_header("Content-Type", f"application/{kind}")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def download(self, name: str) -> None:
        self.server.downloads += self.command == "GET"
        content = self.server.files[name]
        commit = hashlib.sha1(b"main").hexdigest()
        self.answer(content, ETag=f'"{_oid(content)}"', X_Repo_Commit=commit)


class Google(Handler):
    """The JSON API of Google Cloud Storage, bucket `pets`."""

    def do_GET(self) -> None:
        path, query = self.asked()
        for root in ("/download/storage/v1/b/pets/o/", "/storage/v1/b/pets/o/"):
            name = path.removeprefix(root)
            if name != path and name in self.server.files:
                is_content = query.get("alt") == "media"
                return self.download(name) if is_content else self.answer(self._object(name))
        if path.rstrip("/") == "/storage/v1/b/pets/o":
            return self.answer(self._listing(query.get("prefix", ""), query.get("delimiter", "")))
        return self.answer({"error": {"code": 404, "message": "Not Found"}}, 404)

    def _listing(self, prefix: str, delimiter: str) -> dict[str, Any]:
        names = [name for name in sorted(self.server.files) if name.startswith(prefix)]
        if not delimiter:
            return {"items": [self._object(name) for name in names]}
        rest = {name: name.removeprefix(prefix).partition(delimiter) for name in names}
        inner = {prefix + first + delimiter for first, found, _ in rest.values() if found}
        items = [self._object(name) for name, (_, found, _) in rest.items() if not found]
        return {"items": items, "prefixes": sorted(inner)}

    def _object(self, name: str) -> dict[str, str]:
        content = self.server.files[name]
        md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
        return {"name": name, "bucket": "pets", "size": str(len(content)), "md5Hash": md5}


class Hub(Handler):
    """The API of a hub for models and data sets, data set `owner/pets`."""

    def do_GET(self) -> None:
        if self.is_refused():
            return
        path, _ = self.asked()
        name = path.removeprefix("/datasets/owner/pets/resolve/main/")
        folder = path.removeprefix("/api/datasets/owner/pets/tree/main").strip("/")
        if path in ("/api/datasets/owner/pets", "/api/datasets/owner/pets/revision/main"):
            self.answer({"id": "owner/pets", "sha": hashlib.sha1(b"main").hexdigest()})
        elif name in self.server.files:
            self.download(name)
        elif path.startswith("/api/datasets/owner/pets/tree/main") and self._below(folder):
            self.answer(self._below(folder))
        else:
            code = "EntryNotFound" if "owner/pets" in path else "RepoNotFound"
            self.answer({"error": "not found"}, 404, X_Error_Code=code)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        if self.is_refused():
            return
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        is_json = "json" in self.headers["Content-Type"]
        told = json.loads(body) if is_json else urllib.parse.parse_qs(body)
        paths = told["paths"]
        entries = {entry["path"]: entry for entry in self._below("")}
        found = [entries[path] for path in paths if path in entries]
        self.answer(found)

    def _below(self, folder: str) -> list[dict[str, Any]]:
        prefix, found = f"{folder}/" if folder else "", dict[str, dict[str, Any]]()
        for name, content in self.server.files.items():
            if not name.startswith(prefix):
                continue
            for parent in Path(name).parents:
                inner = parent.as_posix()
                if inner != "." and inner.startswith(prefix):
                    found[inner] = {"type": "directory", "path": inner, "oid": "0", "size": 0}
            size = len(content)
            found[name] = {"type": "file", "path": name, "size": size, "oid": _oid(content)}
        return list(found.values())


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _serving(handler: type[Handler]) -> Iterator[Server]:
    server = Server(handler)
    serve = functools.partial(server.serve_forever, poll_interval=0.05)
    threading.Thread(target=serve, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def google() -> Iterator[Server]:
    yield from _serving(Google)


@pytest.fixture
def hub(monkeypatch) -> Iterator[Server]:
    """The hub that the client takes for the one there is."""
    import fsspec.config

    for server in _serving(Hub):
        # The client reads HF_ENDPOINT once, when it is imported.
        monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": server.url})
        yield server


@pytest.fixture(params=["google", "hub"])
def store(request) -> tuple[Server, str, dict[str, str]]:
    """Server, address of its bucket, and what else a job must say."""
    server = request.getfixturevalue(request.param)
    if request.param == "google":
        return server, "gs://pets", {"endpoint": server.url}
    return server, "hf://datasets/owner/pets", {}


def fetched(volume: Path, secrets: Path | None = None, **given: str) -> list[str]:
    told: list[str] = []
    wanted = [Fetch.model_validate(given)]
    carry_out(wanted, volume=volume, tell=told.append, secrets=secrets, waits=())
    return told


def content(folder: Path) -> dict[str, bytes]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_a_folder_arrives_whole_once_and_anew_when_it_changes(store, tmp_path) -> None:
    server, address, more = store
    given = {"from": f"{address}/photos", "to": "data/pets", **more}
    fetched(tmp_path, **given)
    assert content(tmp_path / "data/pets") == PHOTOS
    assert server.downloads == len(PHOTOS)
    assert any("as it is now" in words for words in fetched(tmp_path, **given))
    assert server.downloads == len(PHOTOS)
    server.files["photos/cat/1.png"] = b"new"
    fetched(tmp_path, **given)
    assert content(tmp_path / "data/pets") == PHOTOS | {"cat/1.png": b"new"}


def test_a_file_is_proven_by_its_checksum(store, tmp_path) -> None:
    server, address, more = store
    checksum = hashlib.sha256(b"weights").hexdigest()
    given = {"from": f"{address}/weights.h5", "to": "vgg.h5", "sha256": checksum, **more}
    fetched(tmp_path, **given)
    assert (tmp_path / "vgg.h5").read_bytes() == b"weights"
    server.files["weights.h5"] = b"others!"
    (tmp_path / "vgg.h5").unlink()
    with pytest.raises(FetchError, match=rf"^spec.fetch\[0\].sha256: {address}/weights.h5 has"):
        fetched(tmp_path, **given)
    assert not (tmp_path / "vgg.h5").exists()


@pytest.mark.parametrize("key", ["none.h5", "none/"])
def test_what_is_not_there_is_named(store, key: str, tmp_path) -> None:
    _, address, more = store
    said = rf"^spec.fetch\[0\].from: there is no.* {address}/{key}"
    with pytest.raises(FetchError, match=said) as caught:
        fetched(tmp_path, **{"from": f"{address}/{key}", "to": "x", **more})
    assert caught.value.permanent


def test_the_token_of_a_secret_opens_a_hub(hub: Server, tmp_path) -> None:
    hub.token = "hf_much-too-secret"
    given = {"from": "hf://datasets/owner/pets/photos", "to": "pets"}
    with pytest.raises(FetchError, match="name a Secret with them in secretName") as caught:
        fetched(tmp_path, **given)
    assert caught.value.permanent
    secrets = tmp_path / "secrets"
    (secrets / "hub").mkdir(parents=True)
    (secrets / "hub" / "HF_TOKEN").write_text(f"{hub.token}\n")
    told = fetched(tmp_path, secrets, secretName="hub", **given)
    assert content(tmp_path / "pets") == PHOTOS
    assert not any(hub.token in words for words in told)
