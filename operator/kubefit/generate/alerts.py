"""The alerts: when each fires, and what it says; and the ratios that are recorded for them.

`$name` in an expression is one of `metrics.prometheusRule.thresholds` in the values of the chart.
"""

from dataclasses import dataclass

_TRAINS = "max by (namespace, training_job) (training_worker_up) == 1"
_JOB_OF_POD = (
    "* on (namespace, pod) group_left (training_job)\n"
    "max by (namespace, pod, training_job) (training_worker_up{})"
)
_NAME = "{{ $labels.namespace }}/{{ $labels.training_job }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A ratio that Prometheus works out once for all who ask."""

    name: str
    """Labels that are kept, metric and operations, as recording rules are named."""
    expr: str
    text: str


def _goodput(productive: str, lost: str) -> str:
    of_job = "by (namespace, training_job)"
    return (
        f"sum {of_job} ({productive})\n"
        f"/ (\n"
        f"  sum {of_job} ({productive})\n"
        f"  + sum {of_job} ({lost})\n"
        ")"
    )


RECORDINGS = (
    Recording(
        name="namespace_training_job:training_goodput:ratio",
        # After a change of pods the old series may be there for a while beside the new one.
        expr=_goodput(
            "max by (namespace, training_job) (training_productive_seconds_total)",
            "max by (namespace, training_job, cause) (training_lost_seconds_total)",
        ),
        text="Productive part of a job's wall time so far.",
    ),
    Recording(
        name="namespace_training_job:training_goodput:ratio_rate1h",
        expr=_goodput(
            "rate(training_productive_seconds_total[1h])", "rate(training_lost_seconds_total[1h])"
        ),
        text="The same of the last hour.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert; its runbook is the section of that name in `docs/runbooks/<about>.md`."""

    name: str
    about: str
    """`operator` or `jobs`."""
    expr: str
    wait: str
    """How long the expression must hold."""
    critical: bool = False
    summary: str
    """What is wrong, without names."""
    description: str
    """One sentence with names and figures, templated by Prometheus."""

    @property
    def severity(self) -> str:
        """Value of the label `severity`."""
        return "critical" if self.critical else "warning"

    @property
    def runbook(self) -> str:
        """Page and section below the folder of the runbooks."""
        return f"{self.about}.md#{self.name.lower()}"


ALERTS = (
    Alert(
        name="KubeFitOperatorDown",
        about="operator",
        expr="absent(kubefit_build_info)",
        wait="5m",
        critical=True,
        summary="No operator is there, or Prometheus does not reach it.",
        description="No KubeFit operator has been scraped for 5 minutes: jobs are neither started"
        " nor looked after.",
    ),
    Alert(
        name="KubeFitNotOneLeader",
        about="operator",
        expr="sum by (namespace, service) (kubefit_leader) != 1",
        wait="2m",
        critical=True,
        summary="Not exactly one operator acts.",
        description="{{ $value }} of the KubeFit operators in namespace {{ $labels.namespace }}"
        " lead, and one should.",
    ),
    Alert(
        name="KubeFitOperatorBlind",
        about="operator",
        expr=(
            "time() - kubefit_watch_last_event_timestamp_seconds > 600\n"
            'and on (instance) sum by (instance) (kubefit_jobs{phase=~"Starting|Running|Restarting"'
            "}) > 0"
        ),
        wait="1m",
        critical=True,
        summary="The operator hears nothing of jobs that are under way.",
        description="For {{ $value | humanizeDuration }} no watch has brought the operator"
        " {{ $labels.instance }} anything, though jobs are under way.",
    ),
    Alert(
        name="KubeFitReconcileErrors",
        about="operator",
        expr="sum by (reason) (increase(kubefit_reconcile_errors_total[10m])) > 20",
        wait="5m",
        summary="The operator fails at its work again and again.",
        description='In 10 minutes {{ $value | humanize }} passes have failed with "{{'
        ' $labels.reason }}".',
    ),
    Alert(
        name="KubeFitJobWaits",
        about="jobs",
        expr=(
            "time() - max by (namespace, training_job, phase)"
            " (kubefit_job_waiting_since_timestamp_seconds) > $waiting_seconds"
        ),
        wait="1m",
        summary="A job that is to train does not.",
        description=f"TrainingJob {_NAME} has not trained for {{{{ $value | humanizeDuration }}}}"
        " and is {{ $labels.phase }}.",
    ),
    Alert(
        name="KubeFitJobNoStep",
        about="jobs",
        expr=(
            "sum by (namespace, training_job) (changes(training_steps_total[5m])) == 0\n"
            f"and on (namespace, training_job) {_TRAINS}"
        ),
        wait="${no_step_seconds}s",
        summary="A job that trains makes no steps.",
        description=f"No worker of TrainingJob {_NAME} has made a step, though they run.",
    ),
    Alert(
        name="KubeFitJobRestartBudget",
        about="jobs",
        expr=(
            "max by (namespace, training_job) (training_restarts_used_ratio) > $restarts_used_ratio"
        ),
        wait="0s",
        summary="A job is about to fail for too many restarts.",
        description=f"TrainingJob {_NAME} has used {{{{ $value | humanizePercentage }}}} of"
        " spec.runPolicy.maxRestarts within restartWindowSeconds.",
    ),
    Alert(
        name="KubeFitGoodputLow",
        about="jobs",
        expr=(
            "namespace_training_job:training_goodput:ratio_rate1h < $goodput_ratio\n"
            f"and on (namespace, training_job) {_TRAINS}"
        ),
        wait="30m",
        summary="A job makes little use of its time.",
        description=f"In the last hour {{{{ $value | humanizePercentage }}}} of the time of"
        f" TrainingJob {_NAME} were productive.",
    ),
    Alert(
        name="KubeFitCheckpointFailing",
        about="jobs",
        expr="max by (namespace, training_job) (training_checkpoint_failing) == 1",
        wait="5m",
        critical=True,
        summary="Checkpoints of a job cannot be written.",
        description=f"TrainingJob {_NAME} cannot write checkpoints; it fails after"
        " spec.checkpoint.failAfterSeconds of that.",
    ),
    Alert(
        name="KubeFitCheckpointTooOld",
        about="jobs",
        expr=(
            "time() - max by (namespace, training_job)"
            " (training_last_checkpoint_timestamp_seconds) > $checkpoint_age_seconds\n"
            f"and on (namespace, training_job) {_TRAINS}"
        ),
        wait="1m",
        summary="A job would lose much work.",
        description=f"The newest checkpoint of TrainingJob {_NAME} is"
        " {{ $value | humanizeDuration }} old.",
    ),
    Alert(
        name="KubeFitLossNotANumber",
        about="jobs",
        expr="count by (namespace, training_job) (training_loss != training_loss) > 0",
        wait="1m",
        summary="A job has diverged.",
        description=f"The training loss of TrainingJob {_NAME} is no finite number.",
    ),
    Alert(
        name="KubeFitGpuError",
        about="jobs",
        expr=(
            "(max by (namespace, pod, gpu) (DCGM_FI_DEV_XID_ERRORS) > 0)\n"
            f"{_JOB_OF_POD.format(' >= bool 0')}"
        ),
        wait="0s",
        summary="A GPU that a job trains on has reported an error.",
        description="GPU {{ $labels.gpu }} of pod {{ $labels.pod }} of TrainingJob"
        f" {_NAME} has reported XID {{{{ $value }}}}.",
    ),
    Alert(
        name="KubeFitGpuIdle",
        about="jobs",
        expr=(
            "(\n"
            "  max by (namespace, pod, gpu) (avg_over_time(DCGM_FI_DEV_GPU_UTIL[15m])) / 100\n"
            "  < $gpu_use_ratio\n"
            ")\n"
            f"{_JOB_OF_POD.format(' == 1')}"
        ),
        wait="15m",
        summary="A GPU does next to nothing while its job trains.",
        description="GPU {{ $labels.gpu }} of pod {{ $labels.pod }} of TrainingJob"
        f" {_NAME} was in use for {{{{ $value | humanizePercentage }}}} of a quarter of an hour.",
    ),
    Alert(
        name="KubeFitVolumeNearlyFull",
        about="jobs",
        expr=(
            "max by (namespace, training_job, persistentvolumeclaim) (kubefit_job_volume_info)\n"
            "* on (namespace, persistentvolumeclaim) group_left ()\n"
            "min by (namespace, persistentvolumeclaim) (\n"
            "  kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes\n"
            ")\n"
            "< $volume_free_ratio"
        ),
        wait="5m",
        summary="The volume of a job is nearly full.",
        description="{{ $value | humanizePercentage }} of the claim"
        " {{ $labels.persistentvolumeclaim }} are left, to which TrainingJob"
        f" {_NAME} writes.",
    ),
)
