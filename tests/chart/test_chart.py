"""What the chart renders, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from kubefit.api import names
from kubefit.api.contract import TENSORBOARD_PORT
from kubefit.api.names import VOLUME_DIR, GangScheduler
from kubefit.api.version import __version__
from kubefit.controller.settings import Settings, read_settings
from kubefit.generate.rights import gang_rules, lease_rules, operator_rules

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "kubefit"
EVERYTHING = (
    "metrics.serviceMonitor.enabled=true",
    "metrics.podMonitor.enabled=true",
    "metrics.prometheusRule.enabled=true",
    "metrics.dashboards.enabled=true",
    "tensorboard.enabled=true",
    'tensorboard.claim="training"',
    'tensorboard.extraArgs=["--samples_per_plugin=images=200"]',
    'imagePullSecrets=[{"name":"pull"}]',
    'operator.nodeSelector={"disk":"fast"}',
    'operator.tolerations=[{"key":"a","operator":"Exists"}]',
    'operator.affinity={"nodeAffinity":{}}',
    'operator.priorityClassName="high"',
    'operator.podLabels={"team":"a"}',
    'operator.podAnnotations={"note":"b"}',
    'operator.extraEnv=[{"name":"A","value":"b"}]',
    'operator.extraVolumes=[{"name":"ca","configMap":{"name":"ca"}}]',
    'operator.extraVolumeMounts=[{"name":"ca","mountPath":"/etc/ca"}]',
    'serviceAccount.annotations={"role":"c"}',
    'gang.scheduler="volcano"',
    'gang.schedulerName="second"',
    "networkPolicies.enabled=true",
    'networkPolicies.scrapers=[{"namespaceSelector":{}}]',
    'extraObjects=[{"kind":"ConfigMap","metadata":{"name":"{{ .Release.Name }}-x"}}]',
)


def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    return deployment["spec"]["template"]["spec"]


def environment(objects: dict[tuple[str, str], dict[str, Any]]) -> dict[str, str]:
    (container,) = pod(objects["Deployment", "kubefit"])["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"]}


def test_the_default_installation(render) -> None:
    assert set(render()) == {
        ("CustomResourceDefinition", "trainingjobs.kubefit.dev"),
        ("ServiceAccount", "kubefit"),
        ("ClusterRole", "kubefit"),
        ("ClusterRoleBinding", "kubefit"),
        ("Role", "kubefit-election"),
        ("RoleBinding", "kubefit-election"),
        ("ClusterRole", "kubefit-edit"),
        ("ClusterRole", "kubefit-view"),
        ("Deployment", "kubefit"),
        ("PodDisruptionBudget", "kubefit"),
        ("Service", "kubefit"),
    }


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("operator.loglevel=debug", "loglevel"),
        ("images.operator.tag=x", "images"),
        ("operator.replicas=0", "/operator/replicas"),
        ("operator.logLevel=verbose", "/operator/logLevel"),
        ("operator.logFormat=xml", "/operator/logFormat"),
        ("image.operator.pullPolicy=Sometimes", "/image/operator/pullPolicy"),
        ("image.operator.digest=abc", "/image/operator/digest"),
        ("metrics.port=0", "/metrics/port"),
        ("metrics.serviceMonitor.interval=often", "/metrics/serviceMonitor/interval"),
        ("rbac.scope=galaxy", "/rbac/scope"),
        ("gang.scheduler=bees", "/gang/scheduler"),
        ("metrics.prometheusRule.thresholds.volumeFreeRatio=2", "/thresholds/volumeFreeRatio"),
        ("networkPolicies.enable=true", "enable"),
        ("crds.enabled=perhaps", "/crds/enabled"),
    ],
)
def test_a_typo_in_a_value_is_refused(helm, setting, fault) -> None:
    answer = helm("template", "kubefit", str(CHART), "--set", setting)
    assert answer.returncode != 0
    assert fault in answer.stderr


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["tensorboard.enabled=true"], "tensorboard.claim: name the PersistentVolumeClaim"),
        (["serviceAccount.create=false"], "serviceAccount.name: name an existing ServiceAccount"),
    ],
)
def test_a_missing_value_is_asked_for(helm, settings, sentence) -> None:
    options = [part for setting in settings for part in ("--set", setting)]
    answer = helm("template", "kubefit", str(CHART), *options)
    assert answer.returncode != 0
    assert sentence in answer.stderr


def test_images_have_the_version_of_the_chart(render) -> None:
    objects = render()
    (container,) = pod(objects["Deployment", "kubefit"])["containers"]
    assert container["image"] == f"ghcr.io/kubefit/operator:{__version__}"
    assert environment(objects)["KUBEFIT_TRAINER_IMAGE"] == f"ghcr.io/kubefit/trainer:{__version__}"


def test_a_digest_wins_over_a_tag(render) -> None:
    digest = f"sha256:{'a' * 64}"
    objects = render('image.operator.tag="dev"', f'image.operator.digest="{digest}"')
    (container,) = pod(objects["Deployment", "kubefit"])["containers"]
    assert container["image"] == f"ghcr.io/kubefit/operator@{digest}"


def test_all_pods_pass_pod_security_restricted_with_a_read_only_root(render) -> None:
    deployments = [d for (kind, _), d in render(*EVERYTHING).items() if kind == "Deployment"]
    assert len(deployments) == 2
    for deployment in deployments:
        security = pod(deployment)["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod(deployment)["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }


def test_one_of_several_operators_stays_when_nodes_are_drained(render) -> None:
    objects = render()
    deployment, budget = objects["Deployment", "kubefit"], objects["PodDisruptionBudget", "kubefit"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["replicas"] - budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (spread,) = pod(deployment)["topologySpreadConstraints"]
    assert spread["labelSelector"] == budget["spec"]["selector"]


def test_a_single_operator_does_not_keep_a_node_from_being_drained(render) -> None:
    objects = render("operator.replicas=1")
    assert objects["Deployment", "kubefit"]["spec"]["replicas"] == 1
    assert ("PodDisruptionBudget", "kubefit") not in objects


def test_the_operators_rights_are_those_its_code_declares(render) -> None:
    assert render()["ClusterRole", "kubefit"]["rules"] == operator_rules()


@pytest.mark.parametrize("scheduler", GangScheduler)
def test_rights_on_pod_groups_are_those_of_the_scheduler_in_use(render, scheduler) -> None:
    objects = render(f'gang.scheduler="{scheduler}"')
    expected = operator_rules() + gang_rules(scheduler)
    assert objects["ClusterRole", "kubefit"]["rules"] == expected
    assert read_settings(environment(objects)).gang_scheduler is scheduler


def test_releases_hold_elections_of_their_own(render) -> None:
    for release in ("kubefit", "second-kubefit"):
        objects = render(release=release)
        (container,) = pod(objects["Deployment", release])["containers"]
        variables = {one["name"]: one["value"] for one in container["env"]}
        assert variables["KUBEFIT_LEASE_NAME"] == release
        assert variables["KUBEFIT_LEASE_NAMESPACE"] == "kubefit-system"
        assert objects["Role", f"{release}-election"]["rules"] == lease_rules(release)
        (subject,) = objects["RoleBinding", f"{release}-election"]["subjects"]
        assert subject["name"] == pod(objects["Deployment", release])["serviceAccountName"]


def test_the_operator_understands_its_environment(render) -> None:
    objects = render(*EVERYTHING, "operator.extraEnv=[]", 'watchNamespaces=["a","b"]')
    variables = environment(objects)
    assert {name.removeprefix("KUBEFIT_").lower() for name in variables} == set(
        Settings.model_fields
    )
    settings = read_settings(variables)
    (container,) = pod(objects["Deployment", "kubefit"])["containers"]
    assert settings.port == container["ports"][0]["containerPort"]
    assert settings.namespaces == ("a", "b")
    assert settings.image_pull_secrets == ("pull",)


@pytest.mark.parametrize(
    "setting",
    [
        'image.trainer.tag="2"',
        'image.trainer.pullPolicy="Always"',
        'imagePullSecrets=[{"name":"pull"}]',
        'watchNamespaces=["a"]',
        'gang.scheduler="volcano"',
        "metrics.port=9091",
        'operator.logLevel="debug"',
    ],
)
def test_a_changed_setting_rolls_the_operator(render, setting) -> None:
    """All are in the environment, so no checksum of a ConfigMap has to be kept."""
    plain, changed = (render(*settings) for settings in ((), (setting,)))
    templates = [one["Deployment", "kubefit"]["spec"]["template"] for one in (plain, changed)]
    assert templates[0] != templates[1]


def test_an_operator_that_cannot_start_says_why_where_its_pod_is_described(render) -> None:
    (container,) = pod(render()["Deployment", "kubefit"])["containers"]
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_a_namespaced_operator_has_no_cluster_wide_rights(render) -> None:
    objects = render('rbac.scope="namespaced"', 'watchNamespaces=["a","b"]')
    assert ("ClusterRole", "kubefit") not in objects
    assert ("ClusterRoleBinding", "kubefit") not in objects
    for namespace in ("a", "b"):
        assert objects["Role", f"{namespace}/kubefit"]["rules"] == operator_rules()
        (subject,) = objects["RoleBinding", f"{namespace}/kubefit"]["subjects"]
        assert subject["namespace"] == "kubefit-system"
    assert environment(objects)["KUBEFIT_NAMESPACES"] == "a,b"


def test_a_namespaced_operator_watches_its_own_namespace_by_default(render) -> None:
    objects = render('rbac.scope="namespaced"')
    assert ("Role", "kubefit") in objects
    assert environment(objects)["KUBEFIT_NAMESPACES"] == "kubefit-system"


def test_whoever_may_edit_a_namespace_may_edit_its_jobs_but_not_their_status(render) -> None:
    role = render()["ClusterRole", "kubefit-edit"]
    assert role["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    verbs = {r: set(rule["verbs"]) for rule in role["rules"] for r in rule["resources"]}
    assert {"create", "delete", "patch"} <= verbs["trainingjobs"]
    assert verbs["trainingjobs/status"] == {"get"}


def test_the_crd_is_kept_unless_told_otherwise(render) -> None:
    key = ("CustomResourceDefinition", "trainingjobs.kubefit.dev")
    assert render()[key]["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "annotations" not in render("crds.keep=false")[key]["metadata"]
    assert key not in render("crds.enabled=false")


def test_monitors_select_what_is_there(render) -> None:
    objects = render(*EVERYTHING)
    service = objects["Service", "kubefit"]
    monitor = objects["ServiceMonitor", "kubefit"]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    workers = objects["PodMonitor", "kubefit-workers"]["spec"]
    assert workers["selector"]["matchLabels"] == {names.LABEL_ROLE: names.ROLE_WORKER}
    assert workers["podMetricsEndpoints"][0]["port"] == names.PORT_METRICS


def test_the_shared_tensorboard_reads_the_jobs_volume(render) -> None:
    objects = render(*EVERYTHING)
    spec = pod(objects["Deployment", "kubefit-tensorboard"])
    (container,) = spec["containers"]
    assert f"--logdir={VOLUME_DIR}" in container["command"]
    assert f"--port={TENSORBOARD_PORT}" in container["command"]
    assert container["command"][-1] == "--samples_per_plugin=images=200"
    mount = container["volumeMounts"][0]
    assert (mount["mountPath"], mount["readOnly"]) == (VOLUME_DIR, True)
    claim = spec["volumes"][0]["persistentVolumeClaim"]
    assert claim == {"claimName": "training"}
    assert spec["automountServiceAccountToken"] is False


def test_services_select_their_pods_and_no_others(render) -> None:
    objects = render(*EVERYTHING)
    pods = {
        name: d["spec"]["template"]["metadata"]["labels"]
        for (kind, name), d in objects.items()
        if kind == "Deployment"
    }
    for name in ("kubefit", "kubefit-tensorboard"):
        selector = objects["Service", name]["spec"]["selector"]
        assert [n for n, labels in pods.items() if selector.items() <= labels.items()] == [name]


def test_every_setting_of_a_pod_arrives(render) -> None:
    deployment = render(*EVERYTHING)["Deployment", "kubefit"]
    spec, metadata = pod(deployment), deployment["spec"]["template"]["metadata"]
    assert spec["nodeSelector"] == {"disk": "fast"}
    assert spec["tolerations"] == [{"key": "a", "operator": "Exists"}]
    assert spec["affinity"] == {"nodeAffinity": {}}
    assert spec["priorityClassName"] == "high"
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert metadata["labels"]["team"] == "a"
    assert metadata["annotations"] == {"note": "b"}
    (container,) = spec["containers"]
    assert {"name": "A", "value": "b"} in container["env"]
    assert {"name": "ca", "configMap": {"name": "ca"}} in spec["volumes"]
    assert {"name": "ca", "mountPath": "/etc/ca"} in container["volumeMounts"]


def test_names_stay_short_enough_for_their_suffixes(render) -> None:
    for kind, name in render(*EVERYTHING, release="r" * 53, tests=True):
        longest = names.MAX_NAME_LENGTH if kind == names.KIND else 63
        assert len(name.rpartition("/")[2]) <= longest


def test_further_objects_are_filled_in(render) -> None:
    assert ("ConfigMap", "kubefit-x") in render(*EVERYTHING)
