"""The operator's rights, as rules of a Role, from the tables that its code declares."""

from collections.abc import Iterable

from kubefit.api.names import GangScheduler
from kubefit.controller.rbac import RBAC, Rule, gang_rights, lease_rights


def operator_rules() -> list[dict[str, list[str]]]:
    """The rules in the order of the table."""
    return _rules(RBAC)


def lease_rules(lease: str) -> list[dict[str, list[str]]]:
    """The rules for the election over the Lease of that name."""
    return _rules(lease_rights(lease))


def gang_rules(scheduler: GangScheduler) -> list[dict[str, list[str]]]:
    """The further rules where gangs are placed by that scheduler."""
    return _rules(gang_rights(scheduler))


def _rules(rows: Iterable[Rule]) -> list[dict[str, list[str]]]:
    return [
        {
            "apiGroups": list(rule.api_groups),
            "resources": list(rule.resources),
            **({"resourceNames": list(rule.resource_names)} if rule.resource_names else {}),
            "verbs": list(rule.verbs),
        }
        for rule in rows
    ]
