"""Read the machine that a run used out of what it logged; unusable text is a `Problem`, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from alerter.core.clusters import Cluster, ClusterError, read_cluster
from alerter.core.logged_cost import UNREADABLE
from alerter.core.machines import CLUSTER_ID
from alerter.core.quantities import GIB, QuantityError, is_absent, read_gib, read_quantity, shorten
from alerter.core.usage import Pairs, Problem, Resources

CLUSTER_INFO = "mlflow.databricks.cluster.info"
DATABRICKS = "databricks"
MAX_NODES = 10_000
"""The most machines that any run is believed to use, whatever names them."""

DEFAULT_KEYS: dict[str, tuple[str, ...]] = {
    "instance_type": ("instance_type",),
    "nodes": ("num_nodes", "num_instances", "instance_count", "num_workers"),
    "gpu_count": ("gpu_count",),
    "gpu_type": ("gpu_type",),
    "gpu_memory_gib": ("gpu_memory_gb",),
    "vcpus": ("cpu_cores", "cpu_request", "cpu_limit"),
    "memory_gib": ("memory_gb", "memory_request", "memory_limit"),
    "provider": ("provider",),
    "region": ("region",),
    "purchase_option": ("purchase_option",),
    "spot": ("spot",),
    "resource_id": ("resource_id", CLUSTER_ID),
    "dbus": ("dbus", "dbu"),
    "cluster_info": (CLUSTER_INFO,),
}
"""Params and tags by what they tell, in the order in which they are tried. All but ``spot`` and ``cluster_info`` name
a field of `Resources`."""

_LOADER_KEYS = frozenset({"num_workers"})
_BYTES = ("_request", "_limit", "_bytes")
_LIMITS = {"gpu_count": 100_000, "vcpus": 1_000_000, "dbus": 1_000_000, "gpu_memory_gib": 10**7, "memory_gib": 10**8}
_TRUE = frozenset({"true", "1", "yes", "y", "on", "spot", "preemptible"})
_FALSE = frozenset({"false", "0", "no", "n", "off"})
_OPTIONS = {"ondemand": "on_demand", "preemptible": "spot", "preemptable": "spot"}
_NAME_MARKS = frozenset(" ._:/+-()")


def usage_keys(keys: Mapping[str, tuple[str, ...]] = DEFAULT_KEYS) -> frozenset[str]:
    """Return the names of every param and tag that a source should fetch to price machines."""
    return frozenset(name for names in keys.values() for name in names)


def read_resources(
    usage: Pairs, *, keys: Mapping[str, tuple[str, ...]] = DEFAULT_KEYS, max_nodes: int = 64
) -> Resources:
    """Return the machine that a run says it used. Never raises, whatever the texts are.

    Args:
        usage: the params and tags that the run logged.
        keys: which of them tell what, as `DEFAULT_KEYS`.
        max_nodes: up to how many ``num_workers`` are believed to be machines rather than a data loader's workers.
    """
    reader = _Reader(dict(usage), keys)
    reader.unreadable_costs()
    cluster = reader.cluster()
    instance_type = reader.name("instance_type") or (cluster.instance_type if cluster else None)
    provider = reader.name("provider") or (DATABRICKS if cluster else None)
    if cluster is not None and cluster.instance_type != instance_type:
        cluster = None  # the run itself names another machine: it knows better than the notebook's cluster
    nodes, nodes_from = reader.nodes(max_nodes, beside_type=instance_type is not None, cluster=cluster)
    driver_type = cluster.driver_type if cluster is not None and nodes_from == cluster.key else None
    region = reader.name("region")
    return Resources(
        instance_type=instance_type,
        nodes=nodes,
        nodes_from=nodes_from,
        provider=provider.lower() if provider else None,
        region=normal_region(region) if region else None,
        purchase_option=reader.purchase_option(),
        gpu_count=reader.number("gpu_count"),
        gpu_type=reader.name("gpu_type"),
        gpu_memory_gib=reader.memory("gpu_memory_gib"),
        vcpus=reader.number("vcpus"),
        memory_gib=reader.memory("memory_gib"),
        resource_id=reader.identity("resource_id"),
        driver_type=driver_type,
        dbus=reader.number("dbus"),
        problems=tuple(reader.problems),
    )


def normal_region(text: str) -> str:
    """Return a region as catalogs spell it: ``East US`` is ``eastus``."""
    return text.lower().replace(" ", "")


def normal_option(text: str) -> str:
    """Return a purchase option as catalogs spell it: ``On-Demand`` is ``on_demand``, ``preemptible`` is ``spot``."""
    option = text.strip().lower().replace("-", "_").replace(" ", "_")
    return _OPTIONS.get(option, option)


def machine_label(resources: Resources, *, logs_cost: bool = False) -> str:
    """Return the machine for people: ``4 x p4d.24xlarge (from num_workers)``, ``2 GPU, 8 vCPU``.

    Of a run that logs its own cost it says so: no price of the machine is behind that.
    """
    label = _machine(resources)
    if logs_cost:
        return f"{label} (cost logged by the run)" if label else "cost logged by the run"
    return label or "no machine logged"


def _machine(resources: Resources) -> str:
    if resources.instance_type is not None:
        label = f"{resources.nodes} x {resources.instance_type}" if resources.nodes > 1 else resources.instance_type
        if resources.driver_type is not None:
            label += f" + driver {resources.driver_type}"
        if resources.nodes > 1 and resources.nodes_from is not None:
            label += f" (from {resources.nodes_from})"
        return label
    kind = f" {resources.gpu_type}" if resources.gpu_type else " GPU"
    count = resources.gpu_count if resources.gpu_count is not None else Decimal(1 if resources.gpu_type else 0)
    parts = [
        f"{count:f}{kind}" if count else "",
        f"{resources.gpu_memory_gib:f} GiB GPU memory" if resources.gpu_memory_gib and not count else "",
        f"{resources.vcpus:f} vCPU" if resources.vcpus else "",
        f"{resources.memory_gib:f} GiB" if resources.memory_gib else "",
    ]
    return ", ".join(part for part in parts if part)


@dataclass
class _Reader:
    """Reads one run's values and collects what can't be used."""

    values: Mapping[str, str]
    keys: Mapping[str, tuple[str, ...]]
    problems: list[Problem] = field(default_factory=list)

    def logged(self, wanted: str) -> list[tuple[str, str]]:
        values = self.values
        return [(key, values[key]) for key in self.keys.get(wanted, ()) if key in values and not is_absent(values[key])]

    def problem(self, wanted: str, key: str, why: str) -> None:
        self.problems.append(Problem(shorten(key), shorten(self.values[key]), why, wanted))

    def unreadable_costs(self) -> None:
        for key, text in self.values.items():
            if key.startswith(UNREADABLE) and not is_absent(text):
                name = shorten(key.removeprefix(UNREADABLE))
                self.problems.append(Problem(name, shorten(text), "not a cost: estimated", "logged_cost"))

    def number(self, wanted: str) -> Decimal | None:
        for key, text in self.logged(wanted):
            try:
                return read_quantity(text, limit=_LIMITS[wanted])
            except QuantityError as error:
                self.problem(wanted, key, f"{error}: ignored")
        return None

    def memory(self, wanted: str) -> Decimal | None:
        for key, text in self.logged(wanted):
            try:
                return read_gib(text, bare=Decimal(1) if key.endswith(_BYTES) else GIB, limit=_LIMITS[wanted])
            except QuantityError as error:
                self.problem(wanted, key, f"{error}: ignored")
        return None

    def name(self, wanted: str) -> str | None:
        for key, text in self.logged(wanted):
            short = text.strip() if len(text) <= 256 else ""
            if 0 < len(short) <= 128 and all(char.isalnum() or char in _NAME_MARKS for char in short):
                return short
            self.problem(wanted, key, "not a name: ignored")
        return None

    def identity(self, wanted: str) -> str | None:
        for key, text in self.logged(wanted):
            if len(text) <= 512 and text.strip().isprintable():
                return text.strip()
            self.problem(wanted, key, "longer than 512 characters or not printable: ignored")
        return None

    def purchase_option(self) -> str | None:
        named = self.name("purchase_option")
        if named is not None:
            return normal_option(named)
        for key, text in self.logged("spot"):
            truth = text[:64].strip().lower()
            if truth in _TRUE | _FALSE:
                return "spot" if truth in _TRUE else "on_demand"
            self.problem("purchase_option", key, "neither true nor false: ignored")
        return None

    def cluster(self) -> Cluster | None:
        for key, text in self.logged("cluster_info"):
            try:
                return read_cluster(key, text)
            except ClusterError as error:
                self.problem("nodes", key, f"{error}: ignored")
        return None

    def nodes(self, max_nodes: int, *, beside_type: bool, cluster: Cluster | None) -> tuple[int, str | None]:
        for key, text in self.logged("nodes"):
            loader = key in _LOADER_KEYS
            if loader and (cluster is not None or not beside_type):
                continue
            try:
                count = read_quantity(text, limit=MAX_NODES)
            except QuantityError as error:
                self.problem("nodes", key, f"{error}: ignored")
                continue
            if count == 0 and loader:
                return 1, None
            if count < 1 or count != int(count):
                self.problem("nodes", key, "not a whole number of machines: ignored")
            elif loader and count > max_nodes:
                self.problem("nodes", key, f"more than max_nodes ({max_nodes}): ignored")
            else:
                return int(count), key
        if cluster is None:
            return 1, None
        if cluster.doubt:
            self.problem("nodes", cluster.key, cluster.doubt)
        return cluster.nodes, cluster.key
