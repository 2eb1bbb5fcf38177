"""The dashboard of a single job."""

from kubefit.generate.grafana import Dashboard, Panel, Variable

_OF = 'namespace="$namespace",training_job="$training_job"'
_RATE = "[$__rate_interval]"
_STEP_BUCKETS = f"training_step_duration_seconds_bucket{{{_OF}}}"
_PRODUCTIVE = f"training_productive_seconds_total{{{_OF}}}"
_LOST = f"training_lost_seconds_total{{{_OF}}}"
_STEP_SECONDS = f"sum by (worker) (rate(training_step_duration_seconds_sum{{{_OF}}}{_RATE}))"


def _of_workers(gauge: str) -> str:
    """A gauge of the exporter of GPUs, of the pods of this job alone, with their ranks."""
    return (
        f'{gauge}{{namespace="$namespace"}} * on (namespace, pod) group_left (worker)'
        f" (training_worker_up{{{_OF}}} >= bool 0)"
    )


_GPU_PANELS = tuple(
    Panel(
        title=title,
        text=text,
        unit=unit,
        queries=(
            (f"max by (worker, gpu) ({_of_workers(gauge)})", "worker {{worker}} GPU {{gpu}}"),
        ),
    )
    for title, text, unit, gauge in (
        (
            "Use of GPUs",
            "Low while training tells of data that come too slowly.",
            "percent",
            "DCGM_FI_DEV_GPU_UTIL",
        ),
        (
            "Memory of GPUs in use",
            "TensorFlow takes nearly all of it unless it is told to grow.",
            "decmbytes",
            "DCGM_FI_DEV_FB_USED",
        ),
        (
            "Last error of a GPU",
            "Its XID, of whatever program it was; 0 where there was none.",
            "none",
            "DCGM_FI_DEV_XID_ERRORS",
        ),
    )
)

JOB = Dashboard(
    uid="kubefit-job",
    title="KubeFit / Job",
    text="One TrainingJob: how far it is, how well it learns, how fast, and what disturbs it.",
    variables=(
        Variable(name="namespace", label="Namespace", series="training_worker_up"),
        Variable(
            name="training_job",
            label="Job",
            series='training_worker_up{namespace="$namespace"}',
        ),
    ),
    rows=(
        (
            "Progress",
            (
                Panel(
                    title="Epoch",
                    text="The one under way.",
                    unit="short",
                    queries=((f"max(training_epoch{{{_OF}}})", "epoch"),),
                    figure=True,
                    width=6,
                ),
                Panel(
                    title="Steps",
                    text="Done in all epochs.",
                    unit="short",
                    queries=((f"max(training_steps_total{{{_OF}}})", "steps"),),
                    figure=True,
                    width=6,
                ),
                Panel(
                    title="Workers that train",
                    text="Fewer than asked for while the job waits, restarts or has shrunk.",
                    unit="short",
                    queries=((f"sum(training_worker_up{{{_OF}}})", "workers"),),
                    figure=True,
                    width=6,
                ),
                Panel(
                    title="Age of the newest checkpoint",
                    text="What would be lost with the pods.",
                    unit="s",
                    queries=(
                        (
                            f"time() - max(training_last_checkpoint_timestamp_seconds{{{_OF}}})",
                            "age",
                        ),
                    ),
                    figure=True,
                    width=6,
                ),
                Panel(
                    title="Loss",
                    text="Of training; a gap is a loss that is no number.",
                    unit="none",
                    queries=((f"max(training_loss{{{_OF}}})", "loss"),),
                ),
                Panel(
                    title="Metrics",
                    text="Of training and, with the prefix val_, of validation.",
                    unit="none",
                    queries=((f"max by (name) (training_metric{{{_OF}}})", "{{name}}"),),
                ),
            ),
        ),
        (
            "Speed",
            (
                Panel(
                    title="Samples per second",
                    text="Of all workers together.",
                    unit="cps",
                    queries=((f"sum(rate(training_examples_total{{{_OF}}}{_RATE}))", "samples"),),
                ),
                Panel(
                    title="Steps per second",
                    text="All workers make the same steps.",
                    unit="ops",
                    queries=((f"max(rate(training_steps_total{{{_OF}}}{_RATE}))", "steps"),),
                ),
                Panel(
                    title="Duration of a step",
                    text="A 99th percentile far above the median tells of waiting for data.",
                    unit="s",
                    queries=tuple(
                        (
                            f"histogram_quantile({quantile},"
                            f" sum by (le) (rate({_STEP_BUCKETS}{_RATE})))",
                            name,
                        )
                        for quantile, name in ((0.5, "median"), (0.99, "99th percentile"))
                    ),
                ),
                Panel(
                    title="Mean duration of a step by worker",
                    text="Workers wait for each other, so they differ little.",
                    unit="s",
                    queries=(
                        (
                            "sum by (worker)"
                            f" (rate(training_step_duration_seconds_sum{{{_OF}}}{_RATE}))"
                            " / sum by (worker)"
                            f" (rate(training_step_duration_seconds_count{{{_OF}}}{_RATE}))",
                            "worker {{worker}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Use of time",
            (
                Panel(
                    title="Goodput",
                    text="Productive part of the wall time of the job so far.",
                    unit="percentunit",
                    queries=(
                        (
                            f"sum({_PRODUCTIVE}) / (sum({_PRODUCTIVE}) + sum({_LOST}))",
                            "goodput",
                        ),
                    ),
                    figure=True,
                    width=8,
                ),
                Panel(
                    title="Time lost so far",
                    text="By cause; starts and restarts are counted when they are over.",
                    unit="s",
                    queries=((f"max by (cause) ({_LOST})", "{{cause}}"),),
                    figure=True,
                    width=16,
                ),
                Panel(
                    title="Where time goes",
                    text="Parts of the time that passes: together 1 while steps are made.",
                    unit="percentunit",
                    queries=(
                        (f"sum(rate({_PRODUCTIVE}{_RATE}))", "productive"),
                        (f"sum by (cause) (rate({_LOST}{_RATE}))", "{{cause}}"),
                    ),
                ),
                Panel(
                    title="Waiting for data, of the time of a step",
                    text="The worker that waits longest makes all others wait for it.",
                    unit="percentunit",
                    queries=(
                        (
                            "sum by (worker)"
                            f" (rate(training_data_wait_seconds_sum{{{_OF}}}{_RATE}))"
                            f" / {_STEP_SECONDS}",
                            "worker {{worker}}",
                        ),
                    ),
                ),
                Panel(
                    title="Waiting for gradients of others, of the time of a step",
                    text="The slowest worker waits least. Measured between CPUs.",
                    unit="percentunit",
                    queries=(
                        (
                            "sum by (worker)"
                            f" (rate(training_communication_seconds_total{{{_OF}}}{_RATE}))"
                            f" / {_STEP_SECONDS}",
                            "worker {{worker}}",
                        ),
                    ),
                ),
                Panel(
                    title="Most memory taken",
                    text="By each worker; what it has read from files counts until it is needed.",
                    unit="bytes",
                    queries=(
                        (
                            f"max by (worker) (training_memory_peak_bytes{{{_OF}}})",
                            "worker {{worker}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Disturbances",
            (
                Panel(
                    title="Attempts before this one",
                    text="How often the workers began again, for whatever cause.",
                    unit="short",
                    queries=((f"max(training_restarts_total{{{_OF}}})", "attempts"),),
                ),
                Panel(
                    title="Restarts charged, of those allowed",
                    text="Preempted and evicted workers are not charged.",
                    unit="short",
                    queries=(
                        (f"max(kubefit_job_restarts{{{_OF}}})", "charged"),
                        (f"max(kubefit_job_max_restarts{{{_OF}}})", "allowed"),
                    ),
                ),
                Panel(
                    title="Time to write a checkpoint",
                    text="Beside training, which goes on.",
                    unit="s",
                    queries=((f"max(training_checkpoint_duration_seconds{{{_OF}}})", "seconds"),),
                ),
                Panel(
                    title="Size of a checkpoint",
                    text="Weights, optimizer and what else the state of training is.",
                    unit="bytes",
                    queries=((f"max(training_checkpoint_size_bytes{{{_OF}}})", "size"),),
                ),
            ),
        ),
        (
            "GPUs, where the DCGM exporter is installed",
            _GPU_PANELS,
        ),
    ),
)
