"""Jobs from a notebook or a script: one client, the same calls for a cluster and this machine."""

import builtins
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from kubefit.api.names import API_VERSION, KIND, Phase
from kubefit.api.v1alpha1 import Progress, TrainingJob, TrainingJobStatus
from kubefit.client.backend import Backend
from kubefit.client.curve import Epoch, curve_of
from kubefit.client.errors import ClientError, JobFailedError, WaitTimeoutError
from kubefit.client.fit import Data, FitJob, RemoteFit, document_of, model_of
from kubefit.client.fit_program import history_in
from kubefit.client.following import FINISHED
from kubefit.client.manifest import parse, read_document
from kubefit.client.on_this_machine import OnThisMachine
from kubefit.client.sweeping import read_sweep, run_sweep
from kubefit.client.waiting import ended
from kubefit.sweep import SweepResult, TrialResult, result_of

Job = TrainingJob | Mapping[str, Any] | str | Path


class TrainingClient:
    """Submits TrainingJobs, waits for them and reads what they tell.

    With `backend="kubernetes"` jobs run on the cluster of the kubeconfig and go on without this
    client. With `backend="local"` they are processes of this machine in the background, which end
    with the client: by `close`, at the end of a `with` block, or with the interpreter.

    Every method raises a `ClientError` with sentences on what was wrong; `JobNotFoundError` where
    there is no job of that name.
    """

    def __init__(
        self,
        backend: Literal["kubernetes", "local"] = "kubernetes",
        *,
        namespace: str | None = None,
        context: str | None = None,
        kubeconfig: str | Path | None = None,
        runs_dir: str | Path = "runs",
        volume: str | Path = ".",
    ) -> None:
        """The first three options are of a cluster, as of kubectl; the others of this machine.

        Args:
            backend: Where jobs run.
            namespace: Namespace of all jobs; by default the context's.
            context: Context of the kubeconfig.
            kubeconfig: File; by default as kubectl finds it.
            runs_dir: Folder with a folder per job for its results.
            volume: Folder in place of the job's volume; paths in jobs are relative to it.

        Raises:
            ClientError: there is no such backend, or what it needs is not installed.
            ClusterError: the kubeconfig cannot be used.

        """
        self.backend: Backend
        if backend == "local":
            self.backend = OnThisMachine(runs_dir=Path(runs_dir), volume_dir=Path(volume))
        elif backend == "kubernetes":
            self.backend = _cluster(namespace, context, kubeconfig)
        else:
            raise ClientError(f"backend: {backend!r} is neither 'kubernetes' nor 'local'")

    def submit(self, job: Job) -> str:
        """Starts a job and returns its name; does not wait for anything.

        Args:
            job: A TrainingJob, its document as in a manifest, or the path of a manifest.

        Raises:
            InvalidJobError: it is no TrainingJob; one sentence per fault.
            JobOverError: the job of that name has ended.

        """
        document, checked = _read(job)
        return self.backend.submit(document, checked)

    def job(self, name: str) -> TrainingJob:
        """The job with its status."""
        return self.backend.job(name)

    def status(self, name: str) -> TrainingJobStatus:
        """Phase, progress, evaluation, failure and conditions."""
        return self.backend.job(name).status

    def progress(self, name: str) -> Progress | None:
        """Epoch, step, loss and metrics of this moment; None before training."""
        return self.status(name).progress

    def metrics(self, name: str) -> builtins.list[Epoch]:
        """The curve: a mapping per epoch that is over, with `epoch` from 1, loss and metrics.

        It is read from the output of the chief, and so as long as its pod is there. Programs give
        as many digits as Keras prints.
        """
        over = self.status(name).phase in FINISHED
        lines = self.backend.logs(name, rank=0, follow=False)
        return curve_of((line for _, line in lines), over=over)

    def logs(
        self, name: str, *, rank: int | None = None, follow: bool = False
    ) -> Iterator[tuple[int, str]]:
        """Lines of output with the ranks that wrote them.

        Args:
            name: Name of the job.
            rank: Only of this worker.
            follow: Wait for the start, and go on to the end of the job.

        Raises:
            ClientError: the job has no worker of that rank.

        """
        workers = self.backend.job(name).spec.workers
        if rank is not None and not 0 <= rank < workers:
            raise ClientError(f"rank: {name} has workers 0 to {workers - 1}, not {rank}")
        return self.backend.logs(name, rank=rank, follow=follow)

    def wait(self, name: str, timeout: float | None = None) -> TrainingJob:
        """Waits until the job has succeeded, and returns it.

        Args:
            name: Name of the job.
            timeout: Seconds; without a limit if not given.

        Raises:
            JobFailedError: it has failed; tells the first cause.
            WaitTimeoutError: the time is over, and the job goes on.
            JobNotFoundError: it was deleted meanwhile.

        """
        job = ended(self.backend, name, timeout=timeout)
        if job is None:
            phase = self.status(name).phase or Phase.PENDING
            raise WaitTimeoutError(f"{name} has not ended after {timeout:g} s: it is {phase}")
        failure = job.status.failure
        if job.status.phase is Phase.FAILED:
            told = failure.message if failure else "nothing tells why"
            details = f"\n{failure.details}" if failure and failure.details else ""
            raise JobFailedError(f"{name} failed: {told}{details}", failure=failure)
        return job

    def fit_remote(
        self,
        build_model: Callable[..., Any],
        data: Data,
        *,
        workers: int = 4,
        epochs: int = 1,
        batch_size: int | None = None,
        validation_data: Data | None = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        arguments: Mapping[str, Any] | None = None,
        seed: int = 0,
        claim: str | None = None,
        spec: Mapping[str, Any] | None = None,
        name: str | None = None,
        timeout: float | None = None,
    ) -> RemoteFit:
        """Trains the model that a function makes, as `model.fit` would, and waits for the end.

        The function goes to the workers as text: it may use what it is given, what it imports, and
        the modules keras, tensorflow, numpy and those of Python.

        Args:
            build_model: Makes and compiles a Keras model.
            data: Arrays `x`, `(x, y)` or `(x, y, sample_weight)`; the path of an .npz file on the
                volume with arrays of these names; or a function that gives either arrays or a
                Dataset.
            workers: Number of workers; the numbers are those of one.
            epochs: As of `fit`.
            batch_size: Samples per step over all workers together; as of `fit`.
            validation_data: Like `data`.
            validation_split: As of `fit`.
            shuffle: As of `fit`.
            arguments: Arguments of `build_model`; numbers, texts, lists and mappings.
            seed: Of the weights and of the order of samples.
            claim: PersistentVolumeClaim for the results, on a cluster.
            spec: Further fields of the job's specification: image, resources, ...
            name: Name of the job; by default that of the function with something random.
            timeout: Seconds to wait; without a limit if not given.

        Raises:
            NotShippableError: the function or the data need what workers do not have.
            JobFailedError: training has failed; tells the first cause.
            WaitTimeoutError: the time is over, and the job goes on.

        """
        options: dict[str, Any] = {"epochs": epochs, "shuffle": shuffle}
        options |= {"batch_size": batch_size} if batch_size is not None else {}
        options |= {"validation_split": validation_split} if validation_split else {}
        asked = FitJob(
            build_model=build_model,
            data=data,
            validation_data=validation_data,
            arguments=arguments or {},
            options=options,
            seed=seed,
            workers=workers,
            claim=claim,
            spec=spec or {},
            name=name,
        )
        done = self.submit(document_of(asked, self.backend))
        self.wait(done, timeout)
        lines = [line for _, line in self.backend.logs(done, rank=0, follow=False)]
        history = history_in(lines)
        if history is None:
            raise ClientError(
                f"{done} has succeeded, but the output of its chief, which has the history, is"
                f" gone; the model is {model_of(self.backend, done)}"
            )
        return RemoteFit(name=done, history=history, model=model_of(self.backend, done))

    def sweep(
        self,
        sweep: Mapping[str, Any] | str | Path,
        *,
        on_trials: Callable[[builtins.list[TrialResult]], None] = lambda trials: None,
    ) -> SweepResult:
        """Runs a sweep to its end, or goes on with one that was begun; see docs/how-to/sweeps.md.

        Args:
            sweep: A sweep's document, or the path of its file.
            on_trials: Gets all trials every two seconds.

        Raises:
            InvalidJobError: it is no sweep, or one of its trials is no job.
            ClientError: its name is another sweep's, or nothing measures its objective.

        """
        path = sweep if isinstance(sweep, str | Path) else None
        document = sweep if path is None else read_document(Path(path))
        found = read_sweep(path or "the sweep", document)
        trials = run_sweep(
            found,
            self.backend,
            on_trials=lambda trials: on_trials(result_of(found, trials).trials),
        )
        return result_of(found, trials)

    def delete(self, name: str) -> None:
        """Ends a job and forgets it; what it has written stays on the volume."""
        self.backend.delete(name)

    def list(self, labels: Mapping[str, str] | None = None) -> builtins.list[TrainingJob]:
        """All jobs of the namespace, or of `runs_dir`, that have these labels."""
        return self.backend.jobs(labels or {})

    def close(self) -> None:
        """Ends the jobs of this machine; those of a cluster go on."""
        self.backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _cluster(namespace: str | None, context: str | None, kubeconfig: str | Path | None) -> Backend:
    if importlib.util.find_spec("kubernetes") is None:
        raise ClientError("a cluster needs the Kubernetes client: pip install 'kubefit[cli]'")
    from kubefit.client.kubernetes import Cluster
    from kubefit.client.on_cluster import OnCluster

    file = Path(kubeconfig) if kubeconfig else None
    return OnCluster(Cluster(namespace=namespace, context=context, kubeconfig=file))


def _read(job: Job) -> tuple[dict[str, Any], TrainingJob]:
    """The document of a job, and the job."""
    if isinstance(job, str | Path):
        document = read_document(Path(job))
        return document, parse(job, document)
    if isinstance(job, TrainingJob):
        document = job.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude_unset=True, exclude={"status"}
        )
    else:
        document = dict(job)
    named = {"apiVersion": API_VERSION, "kind": KIND, **document}
    return named, parse("the job", named)
