"""Where the test cluster keeps things, and the versions it runs. Constants only."""

import os
from pathlib import Path

KUBERNETES = "1.37.2"
ETCD = "3.6.5"
HELM = "4.3.1"
COREDNS = "1.15.0"

REPOSITORY = Path(__file__).parents[3]
MODULES = Path(__file__).parent / "go"

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubefit"
"""Built binaries, base image, image layers: slow to make, kept when the cluster goes."""
BIN = CACHE / f"kubernetes-{KUBERNETES}-etcd-{ETCD}-helm-{HELM}-coredns-{COREDNS}"

STATE = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "kubefit-cluster"
"""Everything that belongs to the running cluster; removed with it."""
RUN = Path("/run/kubefit-cluster")
"""Sockets; their paths must be short."""
LOGS = STATE / "logs"
PKI = STATE / "pki"
AUDIT_LOG = LOGS / "audit.log"
AUDIT_POLICY = STATE / "audit-policy.json"
KUBECONFIG = STATE / "admin.kubeconfig"
VOLUMES = STATE / "volumes"
KUBELET = STATE / "kubelet"

NODE = "kubefit"
BRIDGE = "kubefit0"
NODE_ADDRESS = "10.244.0.1"
POD_SUBNET = "10.244.0.0/16"
SERVICE_SUBNET = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_SERVICE_ADDRESS = "10.96.0.10"
DNS_PORT = 5353
API_PORT = 6443
FEATURE_GATES = ("GenericWorkload",)
"""Switched on beside those that are on by default: gangs of pods."""
API_GROUPS = ("scheduling.k8s.io/v1beta1",)
"""Served beside those that are served by default: PodGroups."""
CONTAINERD_SOCKET = RUN / "containerd.sock"

OPERATOR_IMAGE = "docker.io/kubefit/operator:dev"
TRAINER_IMAGE = "docker.io/kubefit/trainer:dev"
PAUSE_IMAGE = "docker.io/kubefit/pause:1"
STORAGE_CLASS = "standard"
