import json
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from alerter.core.resources import CLUSTER_INFO, DEFAULT_KEYS, machine_label, read_resources, usage_keys
from alerter.core.usage import Resources

NAMES = sorted(usage_keys())


def read(**logged: str) -> Resources:
    return read_resources(tuple(sorted(logged.items())))


def on_databricks(info: object, **logged: str) -> Resources:
    text = info if isinstance(info, str) else json.dumps(info)
    return read_resources(tuple(sorted({**logged, CLUSTER_INFO: text}.items())))


@pytest.mark.parametrize(
    "text",
    [
        "four",
        "-1",
        "1e400",
        "nan",
        "NaN",
        "inf",
        "1,000",
        "8 vCPU",
        "9" * 6000,
        "🔥",
        "٣",
        "1_000",
        "0x10",
        "1e99999",
        "--1",
        "1e-400",
        "5 5",
    ],
)
def test_junk_counts_as_absent_and_is_a_problem(text: str) -> None:
    resources = read(cpu_cores=text)

    assert resources.vcpus is None
    (problem,) = resources.problems
    assert (problem.key, problem.field) == ("cpu_cores", "vcpus")
    assert len(problem.text) <= 40


@pytest.mark.parametrize("text", ["", " ", "None", "null"])
def test_what_clients_log_for_nothing_is_no_problem(text: str) -> None:
    resources = read(cpu_cores=text, instance_type=text, num_workers=text, spot=text)

    assert resources == Resources()


def test_a_readable_quantity_of_lower_rank_stands_in_for_an_unreadable_one() -> None:
    resources = read(cpu_cores="many", cpu_request="500m", cpu_limit="4")

    assert resources.vcpus == Decimal("0.5")
    assert [problem.key for problem in resources.problems] == ["cpu_cores"]


def test_bare_memory_gb_is_gib_and_bare_requests_are_bytes() -> None:
    assert read(memory_gb="16").memory_gib == 16
    assert read(memory_request=str(16 * 2**30)).memory_gib == 16
    assert read(memory_limit="16Gi").memory_gib == 16
    assert read(memory_request="16").memory_gib is None, "sixteen bytes are a mistake, not a machine"


def test_a_key_of_ones_own_that_ends_like_kubernetes_counts_bytes() -> None:
    keys = {**DEFAULT_KEYS, "memory_gib": ("ram", "pod_memory_request")}

    assert read_resources((("ram", "4"),), keys=keys).memory_gib == 4
    assert read_resources((("pod_memory_request", "4Gi"),), keys=keys).memory_gib == 4
    assert read_resources((("pod_memory_request", "4"),), keys=keys).memory_gib is None
    assert "ram" in usage_keys(keys)
    assert "memory_gb" not in usage_keys(keys)


def test_num_workers_are_nodes_only_beside_an_instance_type() -> None:
    loader = read(num_workers="8", gpu_count="1")
    machines = read(num_workers="8", instance_type="m5.xlarge")

    assert (loader.nodes, loader.nodes_from, loader.problems) == (1, None, ())
    assert (machines.nodes, machines.nodes_from) == (8, "num_workers")


def test_num_workers_are_believed_up_to_max_nodes() -> None:
    usage = (("instance_type", "m5.xlarge"), ("num_workers", "65"))

    most = read_resources(usage)
    assert (most.nodes, most.nodes_from) == (1, None)
    assert most.problems[0].why == "more than max_nodes (64): ignored"
    assert read_resources(usage, max_nodes=65).nodes == 65
    assert read(instance_type="m5.xlarge", num_nodes="65").nodes == 65, "num_nodes can mean nothing else"


@pytest.mark.parametrize(
    ("key", "text", "problems"), [("num_workers", "0", 0), ("num_nodes", "0", 1), ("num_nodes", "2.5", 1)]
)
def test_no_machine_or_half_a_machine_is_one_machine(key: str, text: str, problems: int) -> None:
    resources = read(instance_type="m5.xlarge", **{key: text})

    assert (resources.nodes, resources.nodes_from, len(resources.problems)) == (1, None, problems)


def test_num_nodes_goes_before_num_workers() -> None:
    assert read(instance_type="m5.xlarge", num_nodes="2", num_workers="8").nodes_from == "num_nodes"
    assert read(instance_type="m5.xlarge", num_nodes="two", num_workers="8").nodes == 8


@pytest.mark.parametrize(
    ("logged", "option"),
    [
        ({"spot": "true"}, "spot"),
        ({"spot": "True"}, "spot"),
        ({"spot": "1"}, "spot"),
        ({"spot": "false"}, "on_demand"),
        ({"purchase_option": "On-Demand"}, "on_demand"),
        ({"purchase_option": "preemptible"}, "spot"),
        ({"purchase_option": "reserved", "spot": "true"}, "reserved"),
        ({}, None),
    ],
)
def test_purchase_options_in_the_words_of_clouds(logged: dict[str, str], option: str | None) -> None:
    assert read(**logged).purchase_option == option


def test_an_unclear_spot_is_a_problem() -> None:
    resources = read(spot="sometimes")

    assert resources.purchase_option is None
    assert resources.problems[0].field == "purchase_option"


def test_places_are_written_alike() -> None:
    resources = read(provider="AWS", region=" East US ", instance_type=" Standard_D2s_v3 ", resource_id=" i-0abc ")

    assert (resources.provider, resources.region) == ("aws", "eastus")
    assert (resources.instance_type, resources.resource_id) == ("Standard_D2s_v3", "i-0abc")


def test_a_name_that_is_none_is_a_problem() -> None:
    resources = read(instance_type="🔥" * 3000, region="<!channel>", gpu_type="a\nb", resource_id="x" * 6000)

    assert (resources.instance_type, resources.region, resources.gpu_type, resources.resource_id) == (None,) * 4
    assert {problem.field for problem in resources.problems} == {"instance_type", "region", "gpu_type", "resource_id"}
    assert all(problem.text.isprintable() for problem in resources.problems)


def test_databricks_workers_exclude_the_driver() -> None:
    resources = on_databricks({"node_type_id": "m5.xlarge", "driver_node_type_id": "m5.xlarge", "num_workers": 8})

    assert (resources.instance_type, resources.nodes, resources.driver_type) == ("m5.xlarge", 9, None)
    assert (resources.nodes_from, resources.provider) == (CLUSTER_INFO, "databricks")


def test_a_driver_of_another_type_stands_beside_the_workers() -> None:
    resources = on_databricks({"node_type_id": "m5.xlarge", "driver_node_type_id": "r5.large", "num_workers": "8"})

    assert (resources.instance_type, resources.nodes, resources.driver_type) == ("m5.xlarge", 8, "r5.large")
    assert machine_label(resources) == f"8 x m5.xlarge + driver r5.large (from {CLUSTER_INFO})"


def test_a_single_node_cluster_is_its_driver() -> None:
    resources = on_databricks({"node_type_id": "m5.xlarge", "driver_node_type_id": "r5.large", "num_workers": 0})

    assert (resources.instance_type, resources.nodes, resources.driver_type) == ("r5.large", 1, None)


def test_autoscaling_counts_what_was_held_for_certain_and_says_so() -> None:
    resources = on_databricks({"node_type_id": "m5.xlarge", "autoscale": {"min_workers": 2, "max_workers": 8}})

    assert resources.nodes == 3
    assert "2 workers" in resources.problems[0].why


def test_a_data_loaders_workers_dont_change_a_cluster() -> None:
    info = {"node_type_id": "m5.xlarge", "num_workers": 2}

    assert on_databricks(info, num_workers="16").nodes == 3
    assert on_databricks(info, num_nodes="5").nodes == 5


def test_a_run_that_names_another_machine_than_its_cluster_is_believed() -> None:
    info = {"node_type_id": "m5.xlarge", "driver_node_type_id": "r5.large", "num_workers": 2}
    resources = on_databricks(info, instance_type="p4d.24xlarge")

    assert (resources.instance_type, resources.nodes, resources.driver_type) == ("p4d.24xlarge", 1, None)


@pytest.mark.parametrize(
    "info", ["", "{", "[]", "[" * 50_000, "{}", '{"node_type_id": 5}', '{"num_workers": 1}', "1" * 5000, "x" * 70_000]
)
def test_an_unreadable_cluster_is_a_problem(info: str) -> None:
    resources = on_databricks(info)

    assert resources.instance_type is None
    assert len(resources.problems) == (1 if info else 0)


@pytest.mark.parametrize("count", ["[]", "true", "-1", "1e3", "99999999", '"a"', "null"])
def test_a_cluster_of_unknown_size_counts_its_driver(count: str) -> None:
    resources = on_databricks(f'{{"node_type_id": "m5.xlarge", "num_workers": {count}}}')

    assert (resources.instance_type, resources.nodes) == ("m5.xlarge", 1)
    assert resources.problems


@pytest.mark.parametrize(
    ("logged", "label"),
    [
        ({"instance_type": "p4d.24xlarge", "num_workers": "4"}, "4 x p4d.24xlarge (from num_workers)"),
        ({"instance_type": "p4d.24xlarge"}, "p4d.24xlarge"),
        ({"gpu_count": "2", "cpu_cores": "8"}, "2 GPU, 8 vCPU"),
        ({"gpu_type": "T4", "memory_gb": "16"}, "1 T4, 16 GiB"),
        ({"cpu_cores": "8", "gpu_memory_gb": "16"}, "16 GiB GPU memory, 8 vCPU"),
        ({"cpu_request": "500m"}, "0.5 vCPU"),
        ({}, "no machine logged"),
    ],
)
def test_a_machine_in_words(logged: dict[str, str], label: str) -> None:
    assert machine_label(read(**logged)) == label


logged_texts = st.one_of(
    st.text(st.characters(), max_size=80),
    st.from_regex(r"[+-]?[0-9.]{0,5}([eE][+-]?[0-9]{1,6})?[a-zA-Z]{0,3}", fullmatch=True),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["node_type_id", "num_workers", "autoscale"]), inner)
        ),
    ).map(json.dumps),
)


@given(st.dictionaries(st.sampled_from(NAMES), logged_texts))
def test_no_text_whatever_is_an_exception(logged: dict[str, str]) -> None:
    resources = read_resources(tuple(sorted(logged.items())))

    assert 1 <= resources.nodes <= 10_001
    for quantity in (
        resources.gpu_count,
        resources.vcpus,
        resources.memory_gib,
        resources.gpu_memory_gib,
        resources.dbus,
    ):
        assert quantity is None or (0 <= quantity <= 10**8 and quantity * 10**6 == int(quantity * 10**6))
    assert all(len(problem.text) <= 40 and problem.text.isprintable() for problem in resources.problems)
    assert machine_label(resources).isprintable()
