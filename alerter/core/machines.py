"""Machines that the configuration describes by their id, for runs that say where they ran and not on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from alerter.core.usage import Pairs, Resources

CLUSTER_ID = "mlflow.databricks.cluster.id"
DATABRICKS = "databricks"


@dataclass(frozen=True, slots=True)
class Machine:
    """One entry of the ``resources`` file.

    Attributes:
        instance_type: the provider's name for the machine.
        nodes: how many of it.
        driver_type: one machine more, beside ``nodes``.
        provider, region, purchase_option: as catalogs spell them; None lets the defaults apply.
        dbus: Databricks units per hour, in all.
        source: the file's name, for messages.
    """

    instance_type: str
    nodes: int = 1
    driver_type: str | None = None
    provider: str | None = None
    region: str | None = None
    purchase_option: str | None = None
    dbus: Decimal | None = None
    source: str = ""


Machines = Mapping[str, Machine]
"""By ``resource_id`` or Databricks' cluster id."""


def complete(resources: Resources, usage: Pairs, machines: Machines) -> Resources:
    """Return what a run says of its machine, completed by what is known of the id that it names.

    The run itself goes first: a type that it names keeps its own nodes and driver, and is only told where it stands.
    """
    cluster_id = next((text.strip() for key, text in usage if key == CLUSTER_ID), "")
    own_id = resources.resource_id or cluster_id
    machine = machines.get(own_id, machines.get(cluster_id))
    if machine is None:
        return resources
    in_databricks = bool(cluster_id) and machine is machines.get(cluster_id)
    placed = replace(
        resources,
        provider=resources.provider or machine.provider or (DATABRICKS if in_databricks else None),
        region=resources.region or machine.region,
        purchase_option=resources.purchase_option or machine.purchase_option,
        dbus=resources.dbus if resources.dbus is not None else machine.dbus,
    )
    if resources.instance_type is not None:
        return placed
    if resources.nodes_from is not None:
        return replace(placed, instance_type=machine.instance_type)
    same = machine.driver_type == machine.instance_type
    return replace(
        placed,
        instance_type=machine.instance_type,
        nodes=machine.nodes + same,
        nodes_from=machine.source or None,
        driver_type=None if same else machine.driver_type,
    )
