"""What the watches have brought: TrainingJobs and their children, by job."""

from collections import defaultdict
from collections.abc import Iterable

from kubefit.api.names import LABEL_JOB, LABEL_ROLE, ROLE_WORKER
from kubefit.controller.worklist import Key
from kubefit.core import causes, claims
from kubefit.core.observed import Object


class View:
    """Live indices of what is stored; each change returns the jobs that it may matter to."""

    def __init__(self) -> None:
        self._trainings: dict[Key, Object] = {}
        self._jobs = _Children()
        self._pods = _Children()
        self._gone = _Children()
        """Pods that are gone, and have a failure to tell of which no pass has heard yet."""
        self._claims: dict[Key, str] = {}
        """With their uids."""
        self._users: defaultdict[Key, set[Key]] = defaultdict(set)
        """TrainingJobs that name a claim."""

    def put_training(self, training: Object) -> tuple[Key, ...]:
        """A TrainingJob as it is stored; one older than what is known says nothing."""
        key = _name_of(training)
        known = self._trainings.get(key)
        if known and not _later(training, known):
            return ()
        self._forget_users(key)
        self._trainings[key] = training
        for claim in _claims_of(training):
            self._users[claim].add(key)
        return (key,)

    def drop_training(self, training: Object) -> tuple[Key, ...]:
        """That TrainingJob is gone; one made anew under its name may be known already."""
        key = _name_of(training)
        if _same(self._trainings.get(key), training):
            self._forget_users(key)
            del self._trainings[key]
        return (key,)

    def put_job(self, job: Object) -> tuple[Key, ...]:
        """An Indexed Job as it is stored."""
        return (_job_of(job),) if self._jobs.put(job) else ()

    def drop_job(self, job: Object) -> tuple[Key, ...]:
        """That Job is gone."""
        self._jobs.drop(job)
        key = _job_of(job)
        self.heard(_owned(self._gone.of(key), job["metadata"]["uid"]))
        return (key,)

    def put_pod(self, pod: Object) -> tuple[Key, ...]:
        """A pod as it is stored."""
        return (_job_of(pod),) if self._pods.put(pod) else ()

    def drop_pod(self, pod: Object) -> tuple[Key, ...]:
        """That pod is gone, perhaps before anything looked at why."""
        self._pods.drop(pod)
        key = _job_of(pod)
        known = {job["metadata"]["uid"] for job in self._jobs.of(key)}
        if known & _owners(pod) and causes.first_cause((pod,)):
            self._gone.put(pod)
        return (key,)

    def heard(self, pods: Iterable[Object]) -> bool:
        """A pass knows what those have to tell; whether some of them were gone."""
        return sum(self._gone.drop(pod) for pod in pods) > 0

    def put_claim(self, claim: Object) -> tuple[Key, ...]:
        """There is that claim; what is in it does not matter."""
        name, uid = _name_of(claim), claim["metadata"]["uid"]
        if self._claims.get(name) == uid:
            return ()
        self._claims[name] = uid
        return self._users_of(name)

    def drop_claim(self, claim: Object) -> tuple[Key, ...]:
        """That claim is gone."""
        name = _name_of(claim)
        if self._claims.get(name) == claim["metadata"]["uid"]:
            del self._claims[name]
        return self._users_of(name)

    def trainings(self) -> list[Key]:
        """All TrainingJobs."""
        return list(self._trainings)

    def resource(self, key: Key) -> Object | None:
        """The TrainingJob; None when it is gone or going."""
        found = self._trainings.get(key)
        return None if found is None or "deletionTimestamp" in found["metadata"] else found

    def job(self, key: Key, owner: str) -> Object | None:
        """The Indexed Job that belongs to the TrainingJob with that uid."""
        return next(iter(_owned(self._jobs.of(key), owner)), None)

    def pods_of(self, key: Key, owner: str) -> tuple[Object, ...]:
        """The pods of the Job with that uid, as they last were; those that are gone until heard."""
        return tuple(_owned([*self._gone.of(key), *self._pods.of(key)], owner))

    def leftovers(self, key: Key) -> tuple[str, ...]:
        """Names of workers' pods under that name."""
        return tuple(
            pod["metadata"]["name"]
            for pod in self._pods.of(key)
            if pod["metadata"]["labels"].get(LABEL_ROLE) == ROLE_WORKER
        )

    def claims_of(self, resource: Object) -> frozenset[str]:
        """Names of those claims that the TrainingJob names and that there are."""
        return frozenset(name for _, name in _claims_of(resource) & self._claims.keys())

    def _users_of(self, claim: Key) -> tuple[Key, ...]:
        return tuple(self._users.get(claim, ()))

    def _forget_users(self, key: Key) -> None:
        known = self._trainings.get(key)
        for claim in _claims_of(known) if known else ():
            self._users[claim].discard(key)
            if not self._users[claim]:
                del self._users[claim]


class _Children:
    """Objects of one kind by the job that their label names."""

    def __init__(self) -> None:
        self._found: dict[Key, dict[str, Object]] = {}

    def put(self, one: Object) -> bool:
        """Keeps it; whether it is later than what was known."""
        found = self._found.setdefault(_job_of(one), {})
        known = found.get(one["metadata"]["name"])
        if known and not _later(one, known):
            return False
        found[one["metadata"]["name"]] = one
        return True

    def drop(self, one: Object) -> bool:
        """Forgets it; whether it was known."""
        found = self._found.get(_job_of(one), {})
        known = _same(found.get(one["metadata"]["name"]), one)
        if known:
            del found[one["metadata"]["name"]]
        if not found:
            self._found.pop(_job_of(one), None)
        return known

    def of(self, key: Key) -> Iterable[Object]:
        return self._found.get(key, {}).values()


def _later(one: Object, known: Object) -> bool:
    """Whether it is not what is known, nor older: an answer may come before its event does."""
    versions = one["metadata"]["resourceVersion"], known["metadata"]["resourceVersion"]
    if not all(version.isdigit() for version in versions):
        return True
    return int(versions[0]) > int(versions[1])


def _same(known: Object | None, one: Object) -> bool:
    return known is not None and known["metadata"]["uid"] == one["metadata"]["uid"]


def _name_of(one: Object) -> Key:
    return one["metadata"]["namespace"], one["metadata"]["name"]


def _job_of(one: Object) -> Key:
    return one["metadata"]["namespace"], one["metadata"]["labels"][LABEL_JOB]


def _claims_of(resource: Object) -> set[Key]:
    namespace = resource["metadata"]["namespace"]
    return {(namespace, name) for _, name in claims.named(resource)}


def _owned(objects: Iterable[Object], owner: str) -> list[Object]:
    """Those whose owner has that uid: a job made anew never adopts the pods of its namesake."""
    return [found for found in objects if owner in _owners(found)]


def _owners(one: Object) -> set[str]:
    return {owner["uid"] for owner in one["metadata"].get("ownerReferences", ())}
