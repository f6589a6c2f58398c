"""What is known of a machine by its id completes what a run says, and never contradicts it."""

from decimal import Decimal

from alerter.core.machines import Machine, complete
from alerter.core.resources import machine_label, read_resources
from alerter.core.usage import Resources

CLUSTERS = {
    "c-1": Machine("i3.xlarge", 4, "i3.2xlarge", None, "us-west-2", "spot", Decimal(5), "clusters.csv"),
    "c-2": Machine("i3.xlarge", 4, "i3.xlarge", source="clusters.csv"),
    "box": Machine("dgx", provider="custom"),
}


def completed(**logged: str) -> Resources:
    usage = tuple(
        sorted((key.replace("cluster_id", "mlflow.databricks.cluster.id"), text) for key, text in logged.items())
    )
    return complete(read_resources(usage), usage, CLUSTERS)


def test_a_databricks_cluster_is_known_by_its_tag() -> None:
    found = completed(cluster_id="c-1")
    assert (found.instance_type, found.nodes, found.driver_type, found.provider) == (
        "i3.xlarge",
        4,
        "i3.2xlarge",
        "databricks",
    )
    assert (found.region, found.purchase_option, found.dbus) == ("us-west-2", "spot", Decimal(5))
    assert machine_label(found) == "4 x i3.xlarge + driver i3.2xlarge (from clusters.csv)"


def test_a_driver_of_the_workers_type_is_one_node_more() -> None:
    found = completed(cluster_id="c-2")
    assert (found.nodes, found.driver_type) == (5, None)


def test_what_the_run_says_itself_goes_first() -> None:
    found = completed(cluster_id="c-1", instance_type="g5.xlarge", region="eu-west-1")
    assert (found.instance_type, found.nodes, found.driver_type) == ("g5.xlarge", 1, None)
    assert (found.region, found.purchase_option) == ("eu-west-1", "spot")
    assert completed(cluster_id="c-1", num_nodes="2").nodes == 2
    assert completed(cluster_id="c-1", dbus="7").dbus == 7
    assert completed(cluster_id="c-1", provider="aws").provider == "aws"


def test_a_resource_id_goes_before_the_cluster() -> None:
    found = completed(cluster_id="c-1", resource_id="box")
    assert (found.instance_type, found.provider, found.resource_id) == ("dgx", "custom", "box")


def test_an_id_that_nobody_knows_changes_nothing() -> None:
    usage = (("cpu_cores", "8"), ("resource_id", "other"))
    assert complete(read_resources(usage), usage, CLUSTERS) == read_resources(usage)
    assert completed() == Resources()
