"""Objects of a real S3 server arrive on the volume whole, once, or with one sentence."""

import errno
import fcntl
import hashlib
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import s3fs

from kubefit.api.fetch import Fetch
from kubefit_trainer.fetch import FetchError, carry_out, download
from kubefit_trainer.fetch.sources import Source

FILES = {"train/cat/1.png": b"one", "train/cat/2.png": b"two", "train/dog/1.png": b"three"}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    folder = tmp_path / "volume"
    folder.mkdir()
    return folder


@pytest.fixture
def fetch(store, volume, secrets):
    """Fetches from the store; returns what was told."""

    def run(key: str, to: str, **more: Any) -> list[str]:
        given = {"from": f"s3://{key}", "to": to, "endpoint": store.endpoint}
        given |= {"secretName": "bucket", **more}
        told: list[str] = []
        wanted = [Fetch.model_validate({k: v for k, v in given.items() if v is not None})]
        carry_out(wanted, volume=volume, tell=told.append, secrets=secrets, waits=())
        return told

    return run


@pytest.fixture
def pets(store):
    for name, content in FILES.items():
        store.put(f"photos/{name}", content)
    store.put("photos/", b"")
    store.put("photos-of-others/x", b"not ours")
    return store


def _content(folder: Path) -> dict[str, bytes]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@pytest.mark.parametrize("key", ["pets/photos", "pets/photos/"])
def test_a_prefix_becomes_a_folder_with_all_that_is_below_it(key, pets, fetch, volume) -> None:
    fetch(key, "data/pets")
    assert _content(volume / "data/pets") == FILES


def test_a_bucket_becomes_a_folder(pets, fetch, volume) -> None:
    fetch("pets", "all")
    assert len(_content(volume / "all")) == len(FILES) + 1


def test_an_object_becomes_a_file_with_the_checksum_that_was_given(store, fetch, volume) -> None:
    store.put("weights.h5", b"weights")
    fetch("pets/weights.h5", "weights/vgg.h5", sha256=_sha256(b"weights"))
    assert (volume / "weights/vgg.h5").read_bytes() == b"weights"


def test_another_checksum_is_refused_and_leaves_nothing(store, fetch, volume) -> None:
    store.put("weights.h5", b"others")
    with pytest.raises(
        FetchError, match=r"^spec.fetch\[0\].sha256: s3://pets/weights.h5 has "
    ) as e:
        fetch("pets/weights.h5", "vgg.h5", sha256=_sha256(b"weights"))
    assert e.value.permanent
    assert not (volume / "vgg.h5").exists()
    assert b"others" not in _content(volume).values()


def test_a_checksum_of_a_folder_is_refused(pets, fetch) -> None:
    with pytest.raises(FetchError, match=r"sha256: .* is a folder of 3 files"):
        fetch("pets/photos", "data", sha256=_sha256(b""))


@pytest.mark.parametrize("key", ["pets/none.npz", "pets/none/", "no-such-bucket/photos"])
def test_what_is_not_there_is_named(key, store, fetch) -> None:
    with pytest.raises(FetchError, match=rf"^spec.fetch\[0\].from: there is no.* s3://{key}") as e:
        fetch(key, "data")
    assert e.value.permanent


def test_a_second_run_keeps_what_is_there(pets, fetch, volume) -> None:
    fetch("pets/photos", "data")
    before = {file: file.stat().st_ino for file in (volume / "data").rglob("*")}
    assert any(
        "holds s3://pets/photos as it is now" in words for words in fetch("pets/photos", "data")
    )
    assert {file: file.stat().st_ino for file in (volume / "data").rglob("*")} == before


def test_a_file_with_a_known_checksum_is_not_asked_for_again(store, fetch, volume) -> None:
    store.put("weights.h5", b"weights")
    fetch("pets/weights.h5", "vgg.h5", sha256=_sha256(b"weights"))
    told = fetch("pets/weights.h5", "vgg.h5", sha256=_sha256(b"weights"), secretName=None)
    assert any("with that sha256" in words for words in told)


def test_what_changed_in_the_store_replaces_what_is_there(pets, fetch, volume) -> None:
    fetch("pets/photos", "data")
    pets.put("photos/train/cat/1.png", b"new")
    fetch("pets/photos", "data")
    assert _content(volume / "data") == FILES | {"train/cat/1.png": b"new"}


def test_a_file_that_became_a_folder_and_a_file_again_is_replaced(store, fetch, volume) -> None:
    store.put("labels", b"one file")
    fetch("pets/labels", "labels")
    store.delete("labels")
    store.put("labels/a.csv", b"a")
    fetch("pets/labels", "labels")
    assert _content(volume / "labels") == {"a.csv": b"a"}
    store.put("labels", b"one file again")
    fetch("pets/labels", "labels")
    assert (volume / "labels").read_bytes() == b"one file again"


def test_what_was_fetched_from_elsewhere_is_not_replaced_under_a_running_job(
    pets, fetch, volume
) -> None:
    fetch("pets/photos", "data")
    with pytest.raises(FetchError) as caught:
        fetch("pets/photos/train", "data")
    assert str(caught.value) == (
        f"spec.fetch[0].to: {volume}/data holds s3://pets/photos; choose another place or remove it"
    )
    assert caught.value.permanent
    assert _content(volume / "data") == FILES
    with pytest.raises(FetchError, match=r"holds s3://pets/photos of http://127.* choose another"):
        fetch("pets/photos", "data", endpoint="http://127.0.0.1:9")


def test_a_place_that_was_removed_is_free_for_another_source(pets, fetch, volume) -> None:
    fetch("pets/photos", "data")
    shutil.rmtree(volume / "data")
    fetch("pets/photos/train/cat", "data")
    assert _content(volume / "data") == {"1.png": b"one", "2.png": b"two"}


def test_what_the_user_put_there_is_never_replaced(pets, fetch, volume) -> None:
    (volume / "data").mkdir()
    with pytest.raises(FetchError, match=r"^spec.fetch\[0\].to: .*/data is there already"):
        fetch("pets/photos", "data")


def test_a_broken_download_shows_nothing_and_goes_on_where_it_was(
    pets, fetch, volume, monkeypatch
) -> None:
    get = Source.get

    def breaks(self, remote, file) -> None:
        if remote.path.endswith("dog/1.png"):
            file.write_bytes(b"thr")
            # What stays of a file whose process is killed.
            file.with_name("of-a-killed-one").write_bytes(b"thr")
            raise ConnectionResetError("the peer went away")
        get(self, remote, file)

    with monkeypatch.context() as patch:
        patch.setattr(Source, "get", breaks)
        with pytest.raises(FetchError, match="ConnectionResetError: the peer went away") as caught:
            fetch("pets/photos", "data")
    assert not caught.value.permanent
    assert not (volume / "data").exists()
    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 4}))
        with pytest.raises(FetchError, match="has 11 bytes, but the job's volume has 4 bytes left"):
            fetch("pets/photos", "data")
    told = fetch("pets/photos", "data")
    assert "goes on: 2 of 3 files are there" in told
    assert _content(volume / "data") == FILES


def test_two_jobs_that_fetch_the_same_both_find_it_whole(pets, fetch, volume) -> None:
    faults: list[Exception] = []

    def run() -> None:
        try:
            fetch("pets/photos", "data")
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert _content(volume / "data") == FILES


def test_on_a_volume_without_locks_each_of_two_jobs_fetches_for_itself(
    pets, fetch, volume, monkeypatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    get, others = Source.get, [lambda: fetch("pets/photos", "data")]

    def overtaken(self, remote, file) -> None:
        if remote.path.endswith("dog/1.png") and others:
            others.pop()()
        get(self, remote, file)

    monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr(Source, "get", overtaken)
    assert any("knows no locks" in words for words in fetch("pets/photos", "data"))
    assert others == []
    assert _content(volume / "data") == FILES
    left = _content(volume / ".kubefit")
    assert sorted(Path(name).name for name in left) == ["lock", "record.json"]


def test_what_another_takes_away_meanwhile_is_tried_again(pets, fetch, volume, monkeypatch) -> None:
    get = Source.get

    def without_folder(self, remote, file) -> None:
        shutil.rmtree(file.parent, ignore_errors=True)
        get(self, remote, file)

    monkeypatch.setattr(Source, "get", without_folder)
    with pytest.raises(FetchError) as caught:
        fetch("pets/photos", "data")
    assert not caught.value.permanent
    assert str(caught.value).startswith(f"spec.fetch[0].to: {volume}/.kubefit/fetch/")
    assert "went away while s3://pets/photos was fetched" in str(caught.value)


def test_a_volume_with_too_little_room_is_told_before_anything_is_fetched(
    pets, fetch, volume, monkeypatch
) -> None:
    usage = type("Usage", (), {"free": 5})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(FetchError, match="has 11 bytes, but the job's volume has 5 bytes left"):
        fetch("pets/photos", "data")


@pytest.mark.parametrize("name", ["none", "empty"])
def test_a_secret_that_is_missing_or_lacks_its_key_is_named(name, pets, fetch, secrets) -> None:
    (secrets / "empty").mkdir()
    with pytest.raises(FetchError, match=rf"secretName: there is no Secret '{name}' with the key"):
        fetch("pets/photos", "data", secretName=name)


def test_a_server_that_is_not_there_may_come_back_and_secrets_stay_secret(
    fetch, store, monkeypatch
) -> None:
    with pytest.raises(FetchError) as caught:
        fetch("pets/photos", "data", endpoint="http://127.0.0.1:9")
    assert not caught.value.permanent
    assert str(caught.value).startswith("spec.fetch[0].from: s3://pets/photos cannot be fetched: ")
    assert "much-too-secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["../escape", "a/../../escape", "./x", "a//b", "a\0b"])
def test_a_key_that_leads_out_of_the_folder_is_refused(
    key: str, pets, fetch, volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A store may tell any key; the client of these tests would not even send such a one.
    found = s3fs.S3FileSystem.find

    def find(self: s3fs.S3FileSystem, path: str, **options: Any) -> dict[str, Any]:
        one = next(iter(found(self, path, **options).values()))
        return {f"{path}/{key}": {**one, "name": f"{path}/{key}"}}

    monkeypatch.setattr(s3fs.S3FileSystem, "find", find)
    with pytest.raises(FetchError, match="which cannot be a file") as caught:
        fetch("pets/photos", "data")
    assert caught.value.permanent
    assert [path for path in volume.rglob("*") if path.name == "escape"] == []
    assert not (volume / "data").exists()
