"""A file or folder somewhere else, read through fsspec."""

import functools
import hashlib
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubefit.api.fetch import Fetch
from kubefit_trainer.fetch import credentials
from kubefit_trainer.fetch.faults import FetchError

_NEEDS = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "hf": "huggingface_hub",
    "http": "aiohttp",
    "https": "aiohttp",
}
_VERSIONS = ("ETag", "etag", "md5Hash", "blob_id", "oid", "Content-MD5", "Last-Modified")
"""What stores call the version of a file, the most telling first."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file as the store describes it."""

    path: str
    """As the store's filesystem wants it."""
    size: int | None
    """In bytes; None where a web server does not tell."""
    version: str
    """Changes with the content; empty where the store tells nothing of that kind."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All files of a source by their relative names; a single file has the name ''."""

    files: Mapping[str, Remote]

    @property
    def is_file(self) -> bool:
        """Whether the source is one file rather than a folder."""
        return "" in self.files

    @property
    def size(self) -> int:
        """Bytes of all files whose sizes are known."""
        return sum(file.size or 0 for file in self.files.values())

    @property
    def version(self) -> str:
        """Digest that changes with the content; empty where a file has no version."""
        if not all(file.version for file in self.files.values()):
            return ""
        found = hashlib.sha256()
        for name, file in sorted(self.files.items()):
            found.update(f"{name}\0{file.size}\0{file.version}\0".encode())
        return found.hexdigest()


class Source:
    """One `spec.fetch[]` with its credentials."""

    def __init__(self, fetch: Fetch, secret: Mapping[str, str], *, field: str) -> None:
        """Connects to nothing yet."""
        self.fetch = fetch
        self.secret = secret
        self.field = field

    @property
    def name(self) -> str:
        """What people are told; a query may carry a signature and is left out."""
        return self.fetch.source.partition("?")[0]

    def without_secrets(self, text: str) -> str:
        """The text with every credential, and the query of every address, blotted out.

        Queries go whatever they are: clients quote them anew, and servers redirect to others.
        """
        text = re.sub(r"\?\S+", "?***", text)
        for value in filter(None, self.secret.values()):
            text = text.replace(value, "***")
        return text

    @functools.cached_property
    def _files(self) -> Any:
        kind = credentials.scheme(self.fetch)
        needed = _NEEDS[kind]
        if importlib.util.find_spec("fsspec") is None or importlib.util.find_spec(needed) is None:
            raise FetchError(
                f"{self.field}.from: {kind}:// needs the package {needed}, which is not installed;"
                " pip install 'kubefit[fetch]'"
            )
        import fsspec

        told = credentials.options(self.fetch, self.secret, field=self.field)
        if kind == "s3" and "key" not in told and not _has_aws_credentials():
            told["anon"] = True
        if kind in ("http", "https"):
            import aiohttp

            # Its default would end every download after five minutes.
            patience = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
            told["client_kwargs"] = {"timeout": patience, "trust_env": True}
            if self.fetch.sha256 is None:
                told["client_kwargs"]["trace_configs"] = [self._watched()]
        # Listings are never cached: another try must see what is there now.
        told |= {"use_listings_cache": False, "skip_instance_cache": True}
        if kind == "gs" and self.fetch.endpoint is not None:
            from gcsfs.core import GCSFileSystem

            # The one of that scheme first asks for the kind of the bucket, over gRPC, which stores
            # that are not Google's do not speak: each call would wait out its tries.
            return GCSFileSystem(**told)
        return fsspec.filesystem(kind, **told)

    def _watched(self) -> Any:
        """Has aiohttp follow no server to where anybody on the way can change the file."""
        import aiohttp

        async def refuse(session: Any, context: Any, redirect: Any) -> None:
            target = redirect.response.headers.get("Location", "").partition("?")[0]
            if target.lower().startswith("http://"):
                raise FetchError(
                    f"{self.field}.sha256: {self.name} leads on to {target}, which proves nothing"
                    " of what arrives; give the sha256 of the file, or its https:// address"
                )

        watch = aiohttp.TraceConfig()
        watch.on_request_redirect.append(refuse)
        return watch

    def list(self) -> Listing:
        """The files of the source.

        Raises:
            FetchError: there are none, or one has a name that no file on the volume can have.

        """
        if credentials.scheme(self.fetch) in ("http", "https"):
            url = self.fetch.source
            return Listing({"": _remote(url, self._info_of_url(url))})
        root = str(self._files._strip_protocol(self.fetch.source)).rstrip("/")
        if not self.fetch.source.endswith("/"):
            info = self._files.info(root)
            if info["type"] == "file":
                return Listing({"": _remote(root, info)})
        found = self._files.find(root, detail=True)
        files = {
            path.removeprefix(f"{root}/"): _remote(path, info)
            for path, info in found.items()
            if info["type"] == "file" and not path.endswith("/") and path.startswith(f"{root}/")
        }
        if not files:
            raise FetchError(f"{self.field}.from: there is nothing below {self.name}")
        for name in files:
            if "\0" in name or {"", ".", ".."} & set(name.split("/")):
                raise FetchError(
                    f"{self.field}.from: {self.name} has a key {name!r}, which cannot be a file"
                )
        return Listing(files)

    def _info_of_url(self, url: str) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = self._files.info(url)
        except FileNotFoundError as error:
            # fsspec says so whatever the server answered, and even if it did not.
            raise error.__cause__ or error from None
        return found

    def get(self, remote: Remote, file: Path) -> None:
        """Copies a file of the source into a local file."""
        self._files.get_file(remote.path, str(file))


def _remote(path: str, info: Mapping[str, Any]) -> Remote:
    size = info.get("size")
    version = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
    return Remote(path=path, size=None if size is None else int(size), version=version)


def _has_aws_credentials() -> bool:
    import botocore.session

    return botocore.session.get_session().get_credentials() is not None
