"""The whole path on a real cluster: chart and TrainingJob in, model, curves and metrics out."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import yaml
from scraping import panel_queries, prometheus
from selenium import webdriver
from selenium.webdriver.common.by import By

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
NAMESPACE = "first-light"
CLAIM = "training"
PREDICT = """
import json, sys
import keras, numpy as np
from pathlib import Path
from PIL import Image

model = keras.models.load_model(sys.argv[1])
images, labels = [], []
for label, folder in enumerate(sorted(Path(sys.argv[2]).iterdir())):
    for file in sorted(folder.iterdir()):
        image = Image.open(file).convert("L" if model.input_shape[-1] == 1 else "RGB")
        pixels = np.asarray(image, "float32").reshape(*image.size[::-1], -1)
        images.append(keras.ops.image.resize(pixels, model.input_shape[1:3]))
        labels.append(label)
predicted = np.argmax(model.predict(np.stack(images), verbose=0), axis=-1)
accuracy = float(np.mean(predicted == np.array(labels)))
print(json.dumps({"accuracy": accuracy, "images": len(labels)}))
"""


@pytest.fixture(scope="module")
def volume(cluster, operator, open_desk, tmp_path_factory) -> Iterator[str]:
    """A claim that holds the digits, and a pod of the trainer image with the claim mounted."""
    data = tmp_path_factory.mktemp("data") / "digits"
    subprocess.run(
        [ROOT / ".venv/bin/python", ROOT / "examples/01-digits/make_data.py", data], check=True
    )
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.claim(NAMESPACE, CLAIM, "1Gi")
    open_desk(NAMESPACE, {CLAIM: "/mnt/kubefit"})
    cluster.kubectl("-n", NAMESPACE, "cp", str(data), "desk:/mnt/kubefit/digits")
    yield CLAIM
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


@contextmanager
def _forward(cluster, target: str, port: int, namespace: str = NAMESPACE) -> Iterator[int]:
    """`kubectl port-forward`; yields the local port once it accepts connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        local = probe.getsockname()[1]
    command = [*cluster.kubectl_command, "-n", namespace, "port-forward", target, f"{local}:{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "Forwarding" in process.stdout.readline()
            yield local
        finally:
            process.terminate()


@contextmanager
def _browser() -> Iterator[webdriver.Chrome]:
    """A browser without a window, which notes what its console says."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.add_argument("--window-size=1400,2000")
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path="/usr/bin/chromedriver")
    browser = webdriver.Chrome(options=options, service=service)
    try:
        yield browser
    finally:
        browser.quit()


def _job(cluster, name: str) -> dict:
    return cluster.get("trainingjob", name, namespace=NAMESPACE)


def _watch(cluster, name: str) -> tuple[list[str], set[str], dict]:
    """Phases in order, EPOCH cells that `kubectl get` printed, and the job at its end."""
    phases: list[str] = []
    epochs: set[str] = set()
    command = [
        *cluster.kubectl_command,
        "-n",
        NAMESPACE,
        "get",
        "tj",
        name,
        "--watch",
        "-o",
        "json",
    ]
    with subprocess.Popen(
        [*command[:-2], "-o", "jsonpath={.status.phase} {.status.summary.epoch}{'\\n'}"],
        stdout=subprocess.PIPE,
        text=True,
    ) as watch:
        assert watch.stdout is not None
        for line in watch.stdout:
            phase, _, epoch = line.rstrip("\n").partition(" ")
            if phase and phase not in phases[-1:]:
                phases.append(phase)
            epochs |= {epoch} - {""}
            if phase in ("Succeeded", "Failed"):
                break
        watch.terminate()
    return phases, epochs, _job(cluster, name)


def _accuracy_of_saved_model(cluster, name: str) -> dict[str, float]:
    model = f"/mnt/kubefit/{NAMESPACE}/{name}/export/model.keras"
    output = cluster.kubectl(
        *("-n", NAMESPACE, "exec", "desk", "--"),
        *("python", "-c", PREDICT, model, "/mnt/kubefit/digits/test"),
    )
    return json.loads(output.splitlines()[-1])


def _example(folder: str, **spec: object) -> dict:
    job = yaml.safe_load((ROOT / "examples" / folder / "job.yaml").read_text())
    job["metadata"]["namespace"] = NAMESPACE
    job["spec"].update(storage={"claim": CLAIM}, **spec)
    return job


@pytest.fixture(scope="module")
def digits(cluster, volume) -> tuple[list[str], set[str], dict]:
    """The digits example, trained to its end on two workers; the job is still there."""
    job = _example("01-digits", workers=2, tensorboard={"enabled": True})
    cluster.apply(job)
    return _watch(cluster, job["metadata"]["name"])


def test_the_phases_come_in_order(digits) -> None:
    phases, _, job = digits
    order = ["Pending", "Starting", "Running", "Succeeded"]
    assert phases == [phase for phase in order if phase in phases], job["status"]
    assert phases[-2:] == ["Running", "Succeeded"]


def test_the_epoch_column_moves(digits) -> None:
    _, epochs, job = digits
    total = job["spec"]["recipe"]["training"]["epochs"]
    assert len(epochs) >= 3
    assert f"{total}/{total}" in epochs


def test_conditions_and_times_tell_the_end(digits) -> None:
    _, _, job = digits
    conditions = {c["type"]: c for c in job["status"]["conditions"]}
    assert conditions["Complete"]["status"] == "True"
    assert conditions["Accepted"]["status"] == "True"
    assert job["status"]["completionTime"] > job["status"]["startTime"]
    assert job["status"]["observedGeneration"] == job["metadata"]["generation"]


def test_the_saved_model_has_the_accuracy_in_status(cluster, digits) -> None:
    _, _, job = digits
    reported = job["status"]["evaluation"]["accuracy"]
    found = _accuracy_of_saved_model(cluster, job["metadata"]["name"])
    assert found["accuracy"] == pytest.approx(reported, abs=1.5 / found["images"])
    assert reported >= 0.95


def test_tensorboard_shows_the_loss_curve(cluster, digits, eventually) -> None:
    _, _, job = digits
    name = job["metadata"]["name"]
    cluster.kubectl(
        "-n", NAMESPACE, "rollout", "status", f"deployment/{name}-tensorboard", "--timeout=300s"
    )
    with _forward(cluster, f"service/{name}-tensorboard", 6006) as port, _browser() as browser:
        browser.get(f"http://127.0.0.1:{port}/?darkMode=false&tagFilter=epoch_loss#timeseries")
        card = "//scalar-card[contains(., 'epoch_loss')]"
        eventually(lambda: browser.find_elements(By.XPATH, card), 180)
        eventually(
            lambda: (
                any(
                    path.get_attribute("d")
                    for path in browser.find_elements(By.XPATH, f"{card}//*[name()='path']")
                )
                or browser.find_elements(By.XPATH, f"{card}//canvas")
            ),
            120,
        )


def test_the_report_opens_by_itself_without_errors(cluster, digits, tmp_path) -> None:
    _, _, job = digits
    report = f"/mnt/kubefit/{NAMESPACE}/{job['metadata']['name']}/report/index.html"
    page = tmp_path / "index.html"
    page.write_text(cluster.kubectl("-n", NAMESPACE, "exec", "desk", "--", "cat", report))
    with _browser() as browser:
        browser.get(page.as_uri())
        headings = [heading.text for heading in browser.find_elements(By.TAG_NAME, "h2")]
        shown = browser.execute_script("return [...document.images].map(one => one.naturalWidth)")
        assert browser.get_log("browser") == []
    assert {"Advice", "Curves", "Confusion matrix", "Classes", "Calibration"} < set(headings)
    assert "Exports" in headings
    assert all(shown)


def test_prometheus_scrapes_operator_and_trainers(cluster, volume, eventually, tmp_path) -> None:
    job = _example("01-digits", workers=2)
    job["metadata"]["name"] = "scraped"
    job["spec"]["recipe"]["training"]["epochs"] = 200
    job["spec"]["checkpoint"] = {"everySeconds": 5}
    cluster.apply(job)
    eventually(lambda: _job(cluster, "scraped").get("status", {}).get("phase") == "Running", 600)
    pods = [
        pod["metadata"]["name"]
        for pod in cluster.get("pods", namespace=NAMESPACE, selector="kubefit.dev/job=scraped")[
            "items"
        ]
    ]
    lease = cluster.get("lease", "kubefit", namespace="kubefit-system")
    operator = f"pod/{lease['spec']['holderIdentity'].partition('_')[0]}"
    with (
        _forward(cluster, operator, 9090, "kubefit-system") as operator_port,
        _forward(cluster, f"pod/{pods[0]}", 8080) as first,
        _forward(cluster, f"pod/{pods[1]}", 8080) as second,
        prometheus(tmp_path, {"operator": [operator_port], "trainers": [first, second]}) as query,
    ):
        eventually(lambda: len(query("training_worker_up == 1")) == 2, 300)
        for expression in (
            "sum(training_steps_total) > 0",
            "training_loss > 0",
            "training_epoch >= 1",
            "sum(training_examples_total) > 0",
            "sum(training_step_duration_seconds_count) > 0",
            "training_productive_seconds_total > 0",
            'training_lost_seconds_total{cause="startup"} > 0',
            "sum(training_data_wait_seconds_count) > 0",
            "count(training_communication_seconds_total > 0) == 2",
            "count(training_memory_peak_bytes > 0) == 2",
            "kubefit_leader == 1",
            "kubefit_reconcile_total > 0",
            'kubefit_jobs{phase="Running"} > 0',
            "kubefit_reconcile_duration_seconds_count > 0",
        ):
            assert eventually(partial(query, expression), 120)
        board = ROOT / "charts/kubefit/files/dashboards/job.json"
        for expression in panel_queries(board, namespace=NAMESPACE, training_job="scraped"):
            if "DCGM" not in expression:
                assert eventually(partial(query, expression), 120), expression
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "scraped")


def test_a_user_script_trains_the_same_way(cluster, volume, eventually) -> None:
    job = _example("02-script", workers=2)
    source = (ROOT / "examples/02-script/train.py").read_text()
    job["spec"]["script"] = {**job["spec"]["script"], "inline": source}
    for other in ("path", "volumePath"):
        job["spec"]["script"].pop(other, None)
    cluster.apply(job)
    phases, epochs, done = _watch(cluster, job["metadata"]["name"])
    assert phases[-1] == "Succeeded", done["status"]
    assert len(epochs) >= 2
    assert done["status"]["evaluation"]["accuracy"] >= 0.9


def test_delete_leaves_nothing_but_the_volume(cluster, digits, eventually) -> None:
    _, _, job = digits
    name = job["metadata"]["name"]
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", name)
    kinds = "jobs,services,configmaps,deployments,pods,replicasets"

    def left() -> list[str]:
        found = cluster.get(kinds, namespace=NAMESPACE, selector=f"kubefit.dev/job={name}")
        return [f"{o['kind']}/{o['metadata']['name']}" for o in found["items"]]

    eventually(lambda: left() == [], 180)
    assert cluster.get("pvc", CLAIM, namespace=NAMESPACE)["status"]["phase"] == "Bound"
