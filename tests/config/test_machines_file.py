"""The file of `metering.resources`: strict, with places, as CSV and as YAML; a bad one keeps its last good version."""

from decimal import Decimal

import pytest

from alerter.config import ConfigError, load_keeping, snapshot
from alerter.core.machines import Machine
from tests.config.conftest import Folder

CSV = """\
id,instance_type,nodes,driver_type,region,purchase_option,dbus
0923-164208-meows,i3.xlarge,4,i3.2xlarge,US-West2,Spot,5.5
gpu-box-1,onprem-a100,,,,,
"""
YAML = """
0923-164208-meows:
  {instance_type: i3.xlarge, nodes: 4, driver_type: i3.2xlarge, region: us-west2, purchase_option: spot, dbus: "5.5"}
gpu-box-1: {instance_type: onprem-a100}
"""


@pytest.mark.parametrize(("name", "text"), [("clusters.csv", CSV), ("clusters.yaml", YAML)])
def test_both_forms_say_the_same(folder: Folder, name: str, text: str) -> None:
    folder.write(name, text)
    folder.write("alerter.yaml", f"metering: {{resources: {name}}}\n")
    config = folder.load()
    assert config.machines == {
        "0923-164208-meows": Machine("i3.xlarge", 4, "i3.2xlarge", None, "us-west2", "spot", Decimal("5.5"), name),
        "gpu-box-1": Machine("onprem-a100", source=name),
    }
    assert folder.path / name in config.files
    before = snapshot(folder.path, config.files), config.digest
    folder.write(name, text.replace("onprem-a100", "onprem-h100"))
    assert (snapshot(folder.path, config.files), folder.load().digest) != before


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.csv", "id,instance_typ\na,b\n", "c.csv:1:1: unknown column 'instance_typ'; did you mean 'instance_type'?"),
        ("c.csv", "id,nodes\na,1\n", "c.csv:1:1: the first line must name the columns; missing: instance_type"),
        ("c.csv", "", "c.csv:1:1: the first line must name the columns; missing: id, instance_type"),
        ("c.csv", "id,id,instance_type\n", "c.csv:1:1: a column stands twice"),
        ("c.csv", "id,instance_type\na,x\n\na,y\n", "c.csv:4:1: 'a' stands twice"),
        ("c.csv", "id,instance_type\n,x\n", "c.csv:2:1: the row has no id"),
        ("c.csv", "id,instance_type\na,x,y\n", "c.csv:2:1: the row has 3 cells, the first line 2"),
        ("c.csv", "id,instance_type,nodes\na,x,0\n", "c.csv:2:3: must be at least 1"),
        ("c.csv", "id,instance_type,nodes\na,x,four\n", "c.csv:2:3: expected a whole number, got text"),
        ("c.csv", "id,nodes,instance_type\na,1,\n", "c.csv:2:1: a machine needs 'instance_type'"),
        ("c.csv", 'id,instance_type\n"a,x\n', "c.csv:2:1: is no CSV: unexpected end of data"),
        ("c.yaml", "- a\n", "c.yaml:1:1: expected a mapping from ids to machines, got a list"),
        ("c.yaml", "a: {instance_type: x, node: 2}\n", "c.yaml:1:23: unknown key 'node' in a machine"),
        ("c.yaml", "a: {instance_type: x, dbus: 1.5}\n", "c.yaml:1:29: "),
        ("c.yaml", "a: x\n", "c.yaml:1:4: expected a mapping (key: value)"),
    ],
)
def test_every_mistake_has_its_place(folder: Folder, name: str, text: str, said: str) -> None:
    folder.write(name, text)
    folder.write("alerter.yaml", f"metering: {{resources: {name}}}\n")
    with pytest.raises(ConfigError) as failure:
        folder.load()
    assert said in str(failure.value)


def test_a_file_that_is_not_there(folder: Folder) -> None:
    folder.write("alerter.yaml", "metering: {resources: none.csv}\n")
    with pytest.raises(ConfigError, match=r"alerter.yaml:1:23: no such file: 'none.csv'"):
        folder.load()


def test_a_bad_file_keeps_its_last_good_version(folder: Folder) -> None:
    folder.write("c.csv", CSV)
    folder.write("alerter.yaml", "metering: {resources: c.csv}\n")
    good = folder.load()
    folder.write("c.csv", "id\n")
    folder.write("prices.yaml", 'fallback: {per_run_hour: "7"}\n')
    config, problems = load_keeping(folder.path, good, {})
    assert [each.path.name for each in problems] == ["c.csv"]
    assert config.machines == good.machines
    assert config.prices.rules.fallback_per_run_hour == Decimal(7)
