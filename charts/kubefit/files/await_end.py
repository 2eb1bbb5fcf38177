"""Waits for the end of the TrainingJob named by namespace and name; run by `helm test`."""

import sys
import time

from kubernetes import client, config

namespace, name = sys.argv[1:]
config.load_incluster_config()
api = client.CustomObjectsApi()
told = None
while True:
    job = api.get_namespaced_custom_object(
        "kubefit.dev", "v1alpha1", namespace, "trainingjobs", name
    )
    status = job.get("status", {})
    phase = status.get("phase", "not looked at by an operator yet")
    words = "; ".join(c["message"] for c in status.get("conditions", ()))
    if told != (phase, words):
        told = phase, words
        print(f"{namespace}/{name} is {phase}: {words}", flush=True)
    if phase in ("Succeeded", "Failed"):
        sys.exit(phase != "Succeeded")
    time.sleep(2)
