"""Whether an object that exists under a child's name may be taken over."""

from kubefit.api.names import KIND, LABEL_JOB
from kubefit.core.observed import Object


def stranger(existing: Object, wanted: Object, resource: Object) -> str:
    """Why an existing object is not the job's own to change; empty when it is.

    A retained claim has no owner: its label says whose it is.
    """
    meta, job = existing["metadata"], resource["metadata"]
    owners = meta.get("ownerReferences", [])
    kind = wanted["kind"]
    if any(owner["uid"] == job["uid"] for owner in owners):
        if "deletionTimestamp" not in meta:
            return ""
        return f"{kind} {meta['name']} is about to go; the job starts once it is gone"
    if any(owner["kind"] == KIND and owner["name"] == job["name"] for owner in owners):
        return (
            f"{kind} {meta['name']} is left of an earlier job of this name and is about to go;"
            " the job starts once it is gone"
        )
    claimed = meta.get("labels", {}).get(LABEL_JOB) == job["name"]
    if kind == "PersistentVolumeClaim" and not owners and claimed:
        return ""
    return (
        f"{kind} {meta['name']} exists and does not belong to this job: give the job another"
        " metadata.name, or delete that object"
    )
