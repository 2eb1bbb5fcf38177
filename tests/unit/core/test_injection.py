"""Whatever a user writes into a job is data in what the operator makes of it, never a command."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kubefit.api.contract import CONFIG_KEY, RunConfig
from kubefit.api.errors import read_job
from kubefit.api.names import MAX_NAME_LENGTH, VOLUME_DIR
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core.desired import desired
from kubefit.core.observed import Defaults

MARK = "m4rk"
"""Put into every text of a user, so that it can be found again."""
HOSTILE = st.sampled_from(
    ["$(id)", "`id`", "; rm -rf /", "\n- name: x", '"}', "{{ .Values }}", "$(KUBEFIT_RANK)", "../"]
    + ["'", "\\", "\0", "\u202e", "--flag", "%s", "😀", "${HOME}", "#", "&a", "*a", "<<:"]
)
TEXT = st.lists(HOSTILE, max_size=4).map(lambda parts: MARK + "".join(parts))
NAME = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
FETCHED = {"from": "s3://bucket/key", "to": "data", "secretName": "keys"}
COMMANDS = [
    ["tini", "--", "python", "-m", "kubefit_trainer.fetch"],
    ["tini", "--", "python", "-m", "tensorboard.main"],
]


def job(name: str, script: dict[str, Any], **spec: Any) -> TrainingJob:
    metadata = {"name": name, "namespace": "team", "uid": "00000000-0000"}
    spec = {"storage": {"claim": "c"}, "script": script, **spec}
    api = {"apiVersion": "kubefit.dev/v1alpha1", "kind": "TrainingJob"}
    return read_job({**api, "metadata": metadata, "spec": spec})


def made(job: TrainingJob) -> tuple[dict[str, Any], ...]:
    """The objects of the job, as they are sent."""
    objects = desired(job, Defaults(image="trainer:1"), spec_digest="d")
    return tuple(json.loads(json.dumps(objects)))


def pods(objects: tuple[dict[str, Any], ...]) -> Iterator[dict[str, Any]]:
    """Specifications of the pods that they make."""
    for one in objects:
        if one["kind"] in ("Job", "Deployment"):
            yield one["spec"]["template"]["spec"]


def containers(objects: tuple[dict[str, Any], ...]) -> Iterator[dict[str, Any]]:
    for pod in pods(objects):
        yield from pod.get("initContainers", [])
        yield from pod["containers"]


@given(
    name=NAME,
    kind=st.sampled_from(["inline", "path", "volumePath"]),
    program=TEXT,
    args=st.lists(TEXT, max_size=4),
)
def test_what_a_user_writes_of_a_program_is_in_the_run_configuration_alone(
    name: str, kind: str, program: str, args: list[str]
) -> None:
    script = {kind: program, "args": args}
    objects = made(job(name, script, fetch=[FETCHED], tensorboard={"enabled": True}))
    (config,) = [one["data"] for one in objects if one["kind"] == "ConfigMap"]
    read = RunConfig.model_validate_json(config[CONFIG_KEY]).script
    assert read is not None
    assert read.model_dump(by_alias=True, exclude_none=True, exclude={"runtime"}) == script
    others = [one for one in objects if one["kind"] != "ConfigMap"]
    assert MARK not in json.dumps(others)


@given(name=NAME, program=TEXT)
def test_commands_are_the_same_for_every_job(name: str, program: str) -> None:
    script = {"inline": program}
    objects = made(job(name, script, fetch=[FETCHED], tensorboard={"enabled": True}))
    given_by_image, *ours = sorted(
        (one.get("command", []) for one in containers(objects)), key=lambda command: command[4:]
    )
    assert given_by_image == []
    assert [command[:5] for command in ours] == COMMANDS
    assert ours[1][5:7] == ["--logdir", f"{VOLUME_DIR}/team/{name}/tensorboard"]
    assert [one for one in containers(objects) if "args" in one] == []
    # The kubelet fills in $(NAME) in commands and in the values of variables.
    words = [word for command in ours for word in command]
    words += [item.get("value", "") for one in containers(objects) for item in one.get("env", [])]
    assert not [word for word in words if "$" in word]


@given(
    name=NAME,
    environment=st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), TEXT, max_size=3),
)
def test_variables_of_a_pod_template_arrive_as_they_are_and_nowhere_else(
    name: str, environment: dict[str, str]
) -> None:
    env = [{"name": key, "value": value} for key, value in environment.items()]
    patch = {"spec": {"containers": [{"name": "trainer", "env": env}]}}
    objects = made(job(name, {"inline": "x"}, podTemplate=patch))
    (pod,) = pods(objects)
    (trainer,) = pod["containers"]
    arrived = {item["name"]: item.get("value") for item in trainer["env"]}
    assert {key: arrived[key] for key in environment} == environment
    del trainer["env"]
    assert MARK not in json.dumps(objects)


@given(name=TEXT | st.text(max_size=70))
def test_a_name_that_is_more_than_a_host_name_is_refused(name: str) -> None:
    if re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) and len(name) <= MAX_NAME_LENGTH:
        return
    with pytest.raises(ValidationError):
        job(name, {"inline": "x"})


@given(place=st.lists(st.sampled_from(["..", ".", "", "a", "/", "~", "-", "\0"]), max_size=4))
def test_what_is_fetched_cannot_be_put_outside_of_the_volume(place: list[str]) -> None:
    to = "/".join(place)
    try:
        job("a", {"inline": "x"}, fetch=[{**FETCHED, "to": to}])
    except ValidationError:
        return
    assert not {"..", ".", "", "~"} & set(to.split("/"))


@given(kind=st.sampled_from(["recipe", "script"]), tensorboard=st.booleans(), fetched=st.booleans())
def test_pods_have_no_privilege_no_part_of_the_host_and_no_token_of_the_cluster(
    kind: str, tensorboard: bool, fetched: bool
) -> None:
    recipe = {
        "data": {"train": {"folder": "d"}, "imageSize": [8, 8]},
        "model": {"blocks": [{"flatten": True}]},
        "training": {"epochs": 1},
    }
    document = {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "a", "namespace": "team", "uid": "00000000-0000"},
        "spec": {
            "storage": {"claim": "c"},
            kind: recipe if kind == "recipe" else {"inline": "x"},
            "fetch": [FETCHED] if fetched else [],
            "tensorboard": {"enabled": tensorboard},
        },
    }
    objects = made(read_job(document))
    for pod in pods(objects):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & set(pod)
        sources = {key for volume in pod["volumes"] for key in volume if key != "name"}
        assert sources <= {"persistentVolumeClaim", "configMap", "emptyDir", "secret"}
    for container in containers(objects):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not [port for port in container.get("ports", []) if "hostPort" in port]


def test_credentials_for_fetching_are_seen_by_the_first_container_alone() -> None:
    objects = made(job("a", {"inline": "x"}, fetch=[FETCHED]))
    (pod,) = pods(objects)
    (keys,) = [one["name"] for one in pod["volumes"] if one.get("secret", {}).get("optional")]
    mounts = {
        one["name"]: [mount["name"] for mount in one["volumeMounts"]]
        for one in (*pod["initContainers"], *pod["containers"])
    }
    assert {name for name, mounted in mounts.items() if keys in mounted} == {"fetch"}
    assert not [
        item
        for one in containers(objects)
        for item in one["env"]
        if "valueFrom" in item and "secretKeyRef" in item["valueFrom"]
    ]
