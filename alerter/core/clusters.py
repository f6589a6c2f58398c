"""Databricks' description of the cluster that a run was logged from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

_LONGEST = 65_536
_MOST_WORKERS = 10_000


class ClusterError(ValueError):
    """A description that can't be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Machines of one cluster.

    Attributes:
        key: the tag that told it.
        instance_type: the workers' type; the driver's where there is no worker.
        nodes: machines of that type, a driver of the same type included.
        driver_type: the driver's type where it is another one.
        doubt: why the number of nodes is not certain, or ``""``.
    """

    key: str
    instance_type: str
    nodes: int
    driver_type: str | None
    doubt: str = ""


def read_cluster(key: str, text: str) -> Cluster:
    """Read the JSON of ``mlflow.databricks.cluster.info``, whose ``num_workers`` excludes the driver.

    An autoscaling cluster counts as its minimum, which is what was held for certain.

    Raises:
        ClusterError: not such JSON, or it names no machine.
    """
    info = _parsed(text)
    worker = _type(info, "node_type_id")
    driver = _type(info, "driver_node_type_id") or worker
    workers, doubt = _workers(info)
    if worker is None or driver is None:
        raise ClusterError("names no node_type_id")
    if workers == 0:
        return Cluster(key, driver, 1, None, doubt)
    if driver == worker:
        return Cluster(key, worker, workers + 1, None, doubt)
    return Cluster(key, worker, workers, driver, doubt)


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > _LONGEST:
        raise ClusterError("longer than 64 KiB")
    try:
        info = json.loads(text)
    except (ValueError, RecursionError):
        raise ClusterError("not JSON") from None
    if not isinstance(info, dict):
        raise ClusterError("not a JSON object")
    return info


def _type(info: dict[str, Any], name: str) -> str | None:
    value = info.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 128:
        return None
    return value if all(char.isalnum() or char in "._-" for char in value) else None


def _workers(info: dict[str, Any]) -> tuple[int, str]:
    count, scale = info.get("num_workers"), info.get("autoscale")
    if isinstance(scale, dict):
        least = _whole(scale.get("min_workers"))
        if least is not None:
            return least, f"autoscales: {least} workers, its minimum, are counted"
    number = _whole(count)
    if number is not None:
        return number, ""
    return 0, "num_workers is missing or unreadable: only the driver is counted"


def _whole(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 6:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_WORKERS:
        return value
    return None
