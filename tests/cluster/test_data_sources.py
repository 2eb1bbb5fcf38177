"""Data on a second claim and in an object store reach the workers of a real cluster."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer
from PIL import Image

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

NAMESPACE = "data-sources"
SAVES = """
import keras

layers = keras.layers
network = [layers.Input((8, 8, 1)), layers.Conv2D(2, 3, name="stem"), layers.Flatten()]
keras.Sequential(network).save("/mnt/pets/tiny.keras")
"""
FILES = [f"{name}/{number}.png" for name in ("a", "b") for number in range(8)]


def _image() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").save(buffer, "PNG")
    return buffer.getvalue()


IMAGE = _image()
RECIPE = {
    "data": {"train": {"folder": "/mnt/pets/train"}, "imageSize": [8, 8], "channels": 1},
    "model": {"blocks": [{"conv": 2}, {"flatten": True}]},
    "training": {"epochs": 1, "globalBatchSize": 4},
}


def _claim(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    }


@pytest.fixture(scope="module")
def namespace(cluster, operator) -> Iterator[str]:
    """A namespace with a claim for results."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.apply(_claim("results"))
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def _job(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"workers": 2, "storage": {"claim": "results"}, "recipe": RECIPE, **spec},
    }


def _ended(cluster, name: str) -> dict[str, Any] | None:
    status = cluster.get("trainingjob", name, namespace=NAMESPACE).get("status", {})
    return status if status.get("phase") in ("Succeeded", "Failed") else None


@pytest.fixture(scope="module")
def pets(cluster, namespace, open_desk) -> str:
    """A second claim with images in `train` and a saved network."""
    cluster.apply(_claim("pets"))
    open_desk(NAMESPACE, {"pets": "/mnt/pets"})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in FILES:
            entry = tarfile.TarInfo(f"train/{name}")
            entry.size = len(IMAGE)
            archive.addfile(entry, io.BytesIO(IMAGE))
    tar = ["exec", "-i", "desk", "--", "tar", "-x", "-C", "/mnt/pets"]
    subprocess.run(
        [*cluster.kubectl_command, "-n", NAMESPACE, *tar], input=buffer.getvalue(), check=True
    )
    cluster.kubectl("-n", NAMESPACE, "exec", "desk", "--", "python", "-c", SAVES)
    return "pets"


@pytest.fixture(scope="module")
def bucket(cluster, namespace) -> Iterator[str]:
    """An S3 server that pods reach by its address, with images below `pets/photos/train`."""
    address = cluster.get("nodes")["items"][0]["status"]["addresses"][0]["address"]
    server = ThreadedMotoServer(ip_address="0.0.0.0", port=0)
    server.start()
    endpoint = f"http://{address}:{server.get_host_and_port()[1]}"
    keys = {"aws_access_key_id": "reader", "aws_secret_access_key": "much-too-secret"}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="pets")
    for name in FILES:
        client.put_object(Bucket="pets", Key=f"photos/train/{name}", Body=IMAGE)
    secret = {key.upper(): value for key, value in keys.items()}
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "reader", "namespace": NAMESPACE},
            "stringData": secret,
        }
    )
    yield endpoint
    server.stop()


def test_workers_read_images_and_weights_from_a_second_claim_that_they_cannot_write(
    cluster, pets, eventually
) -> None:
    network = {"saved": "/mnt/pets/tiny.keras", "layer": "stem"}
    recipe = RECIPE | {"model": {"backbone": network}}
    volumes = [{"name": "pets", "claim": pets, "mountPath": "/mnt/pets"}]
    cluster.apply(_job("mounted", recipe=recipe, volumes=volumes))
    status = eventually(lambda: _ended(cluster, "mounted"), 300)
    assert status["phase"] == "Succeeded", status
    mounts = cluster.get("job", "mounted", namespace=NAMESPACE)["spec"]["template"]["spec"]
    (mount,) = [m for m in mounts["containers"][0]["volumeMounts"] if m["name"] == "pets"]
    assert mount["readOnly"]


def test_workers_train_on_what_was_fetched_and_no_secret_is_told(
    cluster, bucket, eventually
) -> None:
    fetch = {"from": "s3://pets/photos/", "to": "data/pets", "endpoint": bucket}
    recipe = RECIPE | {"data": RECIPE["data"] | {"train": {"folder": "data/pets/train"}}}
    cluster.apply(_job("fetched", recipe=recipe, fetch=[fetch | {"secretName": "reader"}]))
    status = eventually(lambda: _ended(cluster, "fetched"), 300)
    assert status["phase"] == "Succeeded", status
    logs = [
        cluster.kubectl("-n", NAMESPACE, "logs", pod["metadata"]["name"], "--all-containers")
        for pod in cluster.get("pods", namespace=NAMESPACE, selector="kubefit.dev/job=fetched")[
            "items"
        ]
    ]
    assert sum("fetches s3://pets/photos/: 16 files" in log for log in logs) == 1
    selector = "kubefit.dev/job=fetched"
    kinds = "pods,jobs.batch,configmaps"
    told = yaml.safe_dump(cluster.get(kinds, namespace=NAMESPACE, selector=selector))
    assert not any("much-too-secret" in text for text in (*logs, told, str(status)))


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        (
            "no-key",
            {"from": "s3://pets/none/"},
            "spec.fetch[0].from: there is nothing below s3://pets/none/",
        ),
        (
            "no-secret",
            {"secretName": "nobody"},
            "spec.fetch[0].secretName: there is no Secret 'nobody' with the key AWS_ACCESS_KEY_ID"
            " in the namespace",
        ),
    ],
)
def test_what_cannot_be_fetched_ends_the_job_with_the_reason(
    cluster, bucket, eventually, name, changes, sentence
) -> None:
    fetch = {"from": "s3://pets/photos/", "to": name, "endpoint": bucket, "secretName": "reader"}
    cluster.apply(_job(name, fetch=[fetch | changes]))
    status = eventually(lambda: _ended(cluster, name), 180)
    assert status["phase"] == "Failed"
    assert status["failure"]["message"] == sentence
