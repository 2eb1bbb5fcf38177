"""From the keys of a Secret to what the client of a store is told."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kubefit.api.fetch import Fetch
from kubefit_trainer.fetch.faults import FetchError

KEYS = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS",),
    "hf": ("HF_TOKEN",),
    "https": ("HTTP_AUTHORIZATION",),
}
"""Keys that count for each scheme that credentials may go over; the first is needed."""


def scheme(fetch: Fetch) -> str:
    """`s3` of `s3://bucket/key`."""
    return fetch.source.partition("://")[0]


def read(fetch: Fetch, folder: Path | None, *, field: str) -> dict[str, str]:
    """Content of the Secret; empty where none is named, and where there are no Secrets.

    Raises:
        FetchError: the Secret is not there or lacks what the store needs.

    """
    if fetch.secret_name is None or folder is None:
        return {}
    keys = KEYS[scheme(fetch)]
    files = {key: folder / fetch.secret_name / key for key in keys}
    found = {key: file.read_text().strip() for key, file in files.items() if file.is_file()}
    if not found.get(keys[0]):
        raise FetchError(
            f"{field}.secretName: there is no Secret {fetch.secret_name!r} with the key {keys[0]}"
            " in the namespace"
        )
    return found


def options(fetch: Fetch, secret: Mapping[str, str], *, field: str) -> dict[str, Any]:
    """Arguments of the store's fsspec filesystem.

    Raises:
        FetchError: a credential cannot be read.

    """
    kind, found = scheme(fetch), dict[str, Any]()
    if kind == "s3":
        found = {"endpoint_url": fetch.endpoint, "key": secret.get("AWS_ACCESS_KEY_ID")}
        found["secret"] = secret.get("AWS_SECRET_ACCESS_KEY")
        found["token"] = secret.get("AWS_SESSION_TOKEN")
        if "AWS_REGION" in secret:
            found["client_kwargs"] = {"region_name": secret["AWS_REGION"]}
    elif kind == "gs":
        found = {"endpoint_url": fetch.endpoint, "token": _google(secret, field=field)}
        if (fetch.endpoint or "").startswith("http://"):
            # Without a Secret the client would send the token that the pod has from its cloud.
            found["token"] = "anon"
    elif kind == "hf":
        found = {"token": secret.get("HF_TOKEN")}
    elif secret:
        found = {"headers": {"Authorization": secret["HTTP_AUTHORIZATION"]}}
    return {name: value for name, value in found.items() if value is not None}


def _google(secret: Mapping[str, str], *, field: str) -> dict[str, Any] | None:
    text = secret.get("GOOGLE_APPLICATION_CREDENTIALS")
    try:
        found: dict[str, Any] | None = json.loads(text) if text else None
    except ValueError as error:
        raise FetchError(
            f"{field}.secretName: its key GOOGLE_APPLICATION_CREDENTIALS is not the JSON of a"
            " service account"
        ) from error
    return found
