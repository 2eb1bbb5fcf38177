"""The dashboard of all jobs and of the operator that looks after them."""

from kubefit.generate.grafana import Dashboard, Panel, Variable

_IN = 'namespace=~"$namespace"'
_BY_JOB = "by (namespace, training_job)"
_JOB = "{{namespace}}/{{training_job}}"
_RATE = "[$__rate_interval]"
_PRODUCTIVE = f"sum {_BY_JOB} (rate(training_productive_seconds_total{{{_IN}}}[1h]))"
_LOST = f"sum {_BY_JOB} (rate(training_lost_seconds_total{{{_IN}}}[1h]))"

FLEET = Dashboard(
    uid="kubefit-fleet",
    title="KubeFit / Fleet",
    text="All TrainingJobs, and the operator that looks after them.",
    variables=(Variable(name="namespace", label="Namespace", series="kubefit_jobs", several=True),),
    rows=(
        (
            "Jobs",
            (
                Panel(
                    title="Jobs now",
                    text="TrainingJobs by phase.",
                    unit="short",
                    queries=((f"sum by (phase) (kubefit_jobs{{{_IN}}})", "{{phase}}"),),
                    figure=True,
                    width=24,
                ),
                Panel(
                    title="Jobs by phase",
                    text="A growing number of Pending jobs tells of a cluster that is too small.",
                    unit="short",
                    queries=((f"sum by (phase) (kubefit_jobs{{{_IN}}})", "{{phase}}"),),
                ),
                Panel(
                    title="Jobs that came to an end in an hour",
                    text="By result, and by the reason of those that failed.",
                    unit="short",
                    queries=(
                        (
                            "sum by (result, reason)"
                            f" (increase(kubefit_jobs_finished_total{{{_IN}}}[1h]))",
                            "{{result}}: {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    title="Time without training",
                    text="Of jobs that are to train and do not: pending, starting or restarting.",
                    unit="s",
                    queries=(
                        (
                            "time() - max by (namespace, training_job, phase)"
                            f" (kubefit_job_waiting_since_timestamp_seconds{{{_IN}}})",
                            f"{_JOB} {{{{phase}}}}",
                        ),
                    ),
                ),
                Panel(
                    title="Restarts charged",
                    text="A job fails when it has restarted more often than its maxRestarts.",
                    unit="short",
                    queries=((f"max {_BY_JOB} (kubefit_job_restarts{{{_IN}}})", _JOB),),
                ),
                Panel(
                    title="Time until a job trains",
                    text="From its making to its first step, of the jobs of an hour.",
                    unit="s",
                    queries=tuple(
                        (
                            f"histogram_quantile({quantile}, sum by (le)"
                            " (increase(kubefit_job_start_latency_seconds_bucket[1h])))",
                            name,
                        )
                        for quantile, name in ((0.5, "median"), (0.9, "90th percentile"))
                    ),
                ),
                Panel(
                    title="Time that a job takes",
                    text="The median from its making to its end, of the jobs of a day.",
                    unit="s",
                    queries=(
                        (
                            "histogram_quantile(0.5, sum by (result, le)"
                            " (increase(kubefit_job_duration_seconds_bucket[1d])))",
                            "{{result}}",
                        ),
                    ),
                ),
                Panel(
                    title="Restarts charged in an hour",
                    text="By the reason of the failure.",
                    unit="short",
                    queries=(
                        (
                            "sum by (reason)"
                            f" (increase(kubefit_jobs_restarted_total{{{_IN}}}[1h]))",
                            "{{reason}}",
                        ),
                    ),
                ),
                Panel(
                    title="Samples per second",
                    text="Of all workers of a job together.",
                    unit="cps",
                    queries=(
                        (f"sum {_BY_JOB} (rate(training_examples_total{{{_IN}}}{_RATE}))", _JOB),
                    ),
                ),
                Panel(
                    title="Goodput of the last hour",
                    text="Productive part of a job's wall time; its own dashboard has the causes.",
                    unit="percentunit",
                    queries=((f"{_PRODUCTIVE} / ({_PRODUCTIVE} + {_LOST})", _JOB),),
                ),
                Panel(
                    title="Age of the newest checkpoint",
                    text="What a job would lose with its pods.",
                    unit="s",
                    queries=(
                        (
                            f"time() - max {_BY_JOB}"
                            f" (training_last_checkpoint_timestamp_seconds{{{_IN}}})",
                            _JOB,
                        ),
                    ),
                ),
                Panel(
                    title="Free space on volumes of jobs",
                    text="By the kubelet's figures, which some storage drivers do not give.",
                    unit="percentunit",
                    queries=(
                        (
                            "min by (namespace, persistentvolumeclaim)"
                            f" (kubelet_volume_stats_available_bytes{{{_IN}}}"
                            f" / kubelet_volume_stats_capacity_bytes{{{_IN}}})"
                            " and on (namespace, persistentvolumeclaim)"
                            f" kubefit_job_volume_info{{{_IN}}}",
                            "{{namespace}}/{{persistentvolumeclaim}}",
                        ),
                    ),
                ),
                Panel(
                    title="Workers that train",
                    text="Fewer than asked for while a job waits, restarts or has shrunk.",
                    unit="short",
                    queries=((f"sum {_BY_JOB} (training_worker_up{{{_IN}}})", _JOB),),
                ),
            ),
        ),
        (
            "Operator",
            (
                Panel(
                    title="Operators that act",
                    text="One; the others stand by.",
                    unit="short",
                    queries=(("sum by (namespace) (kubefit_leader)", "{{namespace}}"),),
                    figure=True,
                    width=6,
                ),
                Panel(
                    title="Since a watch brought something",
                    text="At most two minutes while there are jobs: watches are renewed so often.",
                    unit="s",
                    queries=(
                        (
                            "min(time() - (kubefit_watch_last_event_timestamp_seconds > 0))",
                            "leader",
                        ),
                    ),
                    figure=True,
                    width=6,
                ),
                Panel(
                    title="Version",
                    text="Of every operator.",
                    unit="none",
                    queries=(("sum by (version) (kubefit_build_info)", "{{version}}"),),
                    figure=True,
                ),
                Panel(
                    title="Passes over jobs per second",
                    text="By result.",
                    unit="ops",
                    queries=(
                        (
                            f"sum by (result) (rate(kubefit_reconcile_total{_RATE}))",
                            "{{result}}",
                        ),
                        (
                            f"sum by (reason) (rate(kubefit_reconcile_errors_total{_RATE}))",
                            "error {{reason}}",
                        ),
                    ),
                ),
                Panel(
                    title="Duration of a pass",
                    text="Most passes read the view and write nothing.",
                    unit="s",
                    queries=tuple(
                        (
                            f"histogram_quantile({quantile}, sum by (le)"
                            f" (rate(kubefit_reconcile_duration_seconds_bucket{_RATE})))",
                            name,
                        )
                        for quantile, name in ((0.5, "median"), (0.99, "99th percentile"))
                    ),
                ),
                Panel(
                    title="Requests to the Kubernetes API per second",
                    text="By verb and kind of object.",
                    unit="reqps",
                    queries=(
                        (
                            f"sum by (verb, resource) (rate(kubefit_api_requests_total{_RATE}))",
                            "{{verb}} {{resource}}",
                        ),
                    ),
                ),
                Panel(
                    title="Requests that the Kubernetes API refused, per second",
                    text="By code; 429 tells of an API server that is overloaded.",
                    unit="reqps",
                    queries=(
                        (
                            "sum by (code)"
                            f' (rate(kubefit_api_requests_total{{code=~"[45].*"}}{_RATE}))',
                            "{{code}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)
