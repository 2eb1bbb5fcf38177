"""The chart on a real API server: every object is accepted, and `helm test` trains a step."""

import json
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

CHART = Path(__file__).parents[2] / "charts/kubefit"
EVERYTHING = """
imagePullSecrets: [{name: pull}]
operator:
  nodeSelector: {disk: fast}
  tolerations: [{key: a, operator: Exists}]
  affinity: {nodeAffinity: {}}
  priorityClassName: system-cluster-critical
  podLabels: {team: a}
  podAnnotations: {note: b}
  extraEnv: [{name: A, value: b}]
  extraVolumes: [{name: ca, configMap: {name: ca, optional: true}}]
  extraVolumeMounts: [{name: ca, mountPath: /etc/ca}]
metrics: {dashboards: {enabled: true}}
networkPolicies:
  enabled: true
  scrapers: [{namespaceSelector: {}}]
tensorboard: {enabled: true, claim: training}
extraObjects:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: "{{ .Release.Name }}-further"}}
"""


SIZE = """
from pathlib import Path
print(sum(file.lstat().st_size for file in Path("/opt").rglob("*") if not file.is_dir()))
"""


@pytest.mark.parametrize("scope", ["cluster", "namespaced"])
def test_every_object_is_accepted_by_an_api_server(scope, cluster, operator, tmp_path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(EVERYTHING)
    objects = cluster.helm(
        *("template", "kubefit", str(CHART), "--namespace", operator, "--values", str(values)),
        *("--set", f"rbac.scope={scope}"),
    )
    documents = [document for document in yaml.safe_load_all(objects) if document]
    kinds = {document["kind"] for document in documents}
    assert {"NetworkPolicy", "ConfigMap", "PodDisruptionBudget", "TrainingJob"} <= kinds
    # A pod is refused as long as its service account is not there, which a dry run does not make.
    asked = [document for document in documents if document["kind"] != "Pod"]
    answer = cluster.try_kubectl(
        *("apply", "--server-side", "--force-conflicts", "--dry-run=server"),
        *("--namespace", operator, "--filename", "-"),
        text=json.dumps({"apiVersion": "v1", "kind": "List", "items": asked}),
    )
    assert answer.returncode == 0, answer.stderr
    assert "unknown field" not in answer.stderr


def test_helm_test_trains_a_step_and_leaves_nothing(cluster, operator, eventually) -> None:
    cluster.helm("test", "kubefit", "--namespace", operator, "--timeout", "15m")
    kinds = "trainingjobs,pods,serviceaccounts,roles,rolebindings,persistentvolumeclaims"

    def left() -> list[str]:
        items = cluster.get(kinds, namespace=operator)["items"]
        return [i["kind"] for i in items if i["metadata"]["name"].startswith("test-kubefit")]

    eventually(lambda: not left(), 120)


def test_the_operator_is_small_beyond_its_base(cluster, operator) -> None:
    """All that the Dockerfile adds to the base is below that folder."""
    inside = ("-n", operator, "exec", "deployment/kubefit", "--", "python", "-c", SIZE)
    assert 50e6 < int(cluster.kubectl(*inside)) < 250e6
