"""`spec.scheduling`: how the cluster places the workers of a job as one."""

from kubefit.api.base import Model


class Scheduling(Model):
    """What holds for all workers together; what holds for each is in `spec.podTemplate`."""

    one_per_node: bool = False
    """Never places two workers of the job on one node; those for which there is none wait."""
    gang: bool = False
    """Starts no worker before there is room for all, or for `elastic.minWorkers` of them.

    The operator must be installed with a gang scheduler (`gang.scheduler` of its chart).
    """
