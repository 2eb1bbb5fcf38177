"""Events of the cluster, as what is known of an object beyond its status."""

import datetime

from kubefit.core.observed import Object


def time(event: Object) -> float:
    """Unix time in seconds at which it was last seen."""
    stamp = event.get("lastTimestamp") or event.get("eventTime")
    stamp = stamp or event["metadata"]["creationTimestamp"]
    return datetime.datetime.fromisoformat(str(stamp)).timestamp()
