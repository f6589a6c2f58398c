"""Price lists of other tools become catalogs; a row that can't be used is named with its file and line."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from alerter.cli.app import app
from alerter.config.prices import read_prices
from alerter.config.yaml_files import read_yaml
from alerter.pricebooks.csv_file import CsvBook

SKYPILOT = """\
InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch
p4d.24xlarge,A100,8,96,1152,"{'Gpus': [{'Name': 'A100'}]}",21.96,6.5,us-east-1,us-east-1a,x86_64
p4d.24xlarge,A100,8,96,1152,"{'Gpus': [{'Name': 'A100'}]}",21.96,7.25,us-east-1,us-east-1b,x86_64
m5.xlarge,,,4,16,,0.192,,us-east-1,us-east-1a,x86_64
,A100,1,,,,2.9,1.1,us-central1,us-central1-a,
m5.2xlarge,,,8,32,,-0.384,,us-east-1,us-east-1a,x86_64
m5.4xlarge,,,16,64,,1e9,nan,us-east-1,us-east-1a,x86_64
m5.8xlarge,,,32,128,,,,us-east-1,us-east-1a,x86_64
m5.12xlarge,,,48
m5.16xlarge,,,64,256,,"three",0.9,us-east-1,us-east-1a,x86_64
"""

OPENCOST = """\
EndTimestamp,InstanceID,Region,AssetClass,InstanceIDField,InstanceType,MarketPriceHourly,Version
2026-10-01 23:34:22 UTC,ml.g6.12xlarge,eu-west-1,node,metadata.labels.node.kubernetes.io/instance-type,,13.9860,v1
,worker-a,,node,metadata.name,,0.24,
,onprem,,node,spec.providerID,big-box,1.50,
,Quadro_RTX_4000,,gpu,nvidia.com/gpu_type,,0.75,
,pvc-1,,pv,metadata.name,,0.1,
"""

RATES = {
    "provider": "base",
    "CPU": "0.031611",
    "spotCPU": "0.006655",
    "RAM": "0.004237",
    "spotRAM": "0.000892",
    "GPU": 0.95,
    "storage": "0.00005479452",
}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["prices", "import", *map(str, arguments)])


def test_a_skypilot_catalog(tmp_path: Path) -> None:
    source, out = write(tmp_path / "aws" / "vms.csv", SKYPILOT), tmp_path / "config" / "sky.csv"
    out.parent.mkdir()
    done = run(source, "--out", out, "--as-of", "2026-11-01", "--config", tmp_path / "config")
    assert done.exit_code == 0
    assert 'catalogs: [{file: "sky.csv"}, builtin]' in done.stdout
    assert f"{out}: 4 prices in USD, 6 rows skipped; add to prices.yaml:" in done.stdout
    assert [line.removeprefix(f"skipped: {source}:") for line in done.stderr.splitlines()] == [
        "5: no InstanceType: accelerators alone are not machines",
        "6: price '-0.384' is negative or not finite",
        "7: price '1e9' is above 10,000 an hour",
        "8: neither Price nor SpotPrice",
        "9: 4 cells, 11 are needed",
        "10: price 'three' is not a decimal number",
    ]
    assert out.read_text() == (
        "provider,region,instance_type,purchase_option,usd_per_hour,as_of\n"
        "aws,us-east-1,m5.16xlarge,spot,0.9,2026-11-01\n"
        "aws,us-east-1,m5.xlarge,on_demand,0.192,2026-11-01\n"
        "aws,us-east-1,p4d.24xlarge,on_demand,21.96,2026-11-01\n"
        "aws,us-east-1,p4d.24xlarge,spot,7.25,2026-11-01\n"
    )
    book = CsvBook(out)
    assert (book.problems, book.currency, len(book.instance_types)) == ((), "USD", 3)
    assert [(row.purchase_option, row.per_hour) for row in book.find("P4D.24xlarge")] == [
        ("on_demand", "21.96"),
        ("spot", "7.25"),
    ]
    again = run(source, "--out", out)
    assert again.exit_code == 2
    assert "--force overwrites it" in again.stderr
    assert run(source, "--out", out, "--force").exit_code == 0


def test_an_opencost_csv_prices_types_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    source, out = write(tmp_path / "nodes.csv", OPENCOST), tmp_path / "oc.csv"
    done = run(source, "--out", out, "--as-of", "2026-11-01", "--provider", "AWS")
    assert done.exit_code == 0
    assert out.read_text().splitlines()[1:] == ["aws,eu-west-1,ml.g6.12xlarge,on_demand,13.9860,2026-10-01"]
    assert 'per_gpu_hour: {"Quadro_RTX_4000": "0.75"}' in done.stdout
    assert [line.removeprefix(f"skipped: {source}:") for line in done.stderr.splitlines()] == [
        "3: names one node, not an instance type: no run can be priced by it",
        "4: no Region: name one with --region",
        "6: a pv: only nodes and GPUs have prices here",
    ]
    assert run(source, "--out", out, "--force", "--region", "rack-1").exit_code == 0
    assert "custom,rack-1,big-box,on_demand,1.50" in out.read_text()


def test_opencosts_rates_become_a_block_that_prices_yaml_takes(tmp_path: Path) -> None:
    done = run(write(tmp_path / "default.json", json.dumps(RATES)))
    assert done.exit_code == 0
    assert "spotCPU is left out" in done.stderr
    made = read_prices(read_yaml(write(tmp_path / "prices.yaml", done.stdout)))
    assert made is not None
    rates = made.rules.resources
    assert (str(rates.per_vcpu_hour), str(rates.per_gib_hour)) == ("0.031611", "0.004237")
    assert [(glob, str(price)) for glob, price in rates.per_gpu_hour] == [("*", "0.95")]
    assert str(made.rules.storage_per_gib_month) == "0.0399999996"


def test_our_own_csv_is_cleaned_and_keeps_its_currency(tmp_path: Path) -> None:
    text = (
        "as_of,instance_type,purchase_option,provider,region,eur_per_hour,remark\n"
        "2026-01-01,big,On-Demand,Custom,Rack 1,1.10,ours\n"
        "2026-02-01,big,,custom,rack1,1.20,newer\n"
        "2026-02-30,big,spot,custom,rack1,1.20,no such day\n"
    )
    source, out = write(tmp_path / "ours.csv", text), tmp_path / "clean.csv"
    done = run(source, "--out", out)
    assert done.exit_code == 0
    assert out.read_text() == (
        "provider,region,instance_type,purchase_option,eur_per_hour,as_of\ncustom,rack1,big,on_demand,1.20,2026-02-01\n"
    )
    assert f"{source}:4: as_of '2026-02-30' is not a date" in done.stderr
    assert "builtin" not in done.stdout


@pytest.mark.parametrize(
    ("name", "text", "options", "said", "code"),
    [
        ("x.csv", "a,b\n1,2\n", (), "of no format that is known", 2),
        ("x.csv", "", (), "of no format that is known", 2),
        ("x.csv", "a,b\n1,2\n", ("--format", "skypilot"), "missing: InstanceType, Price, Region", 2),
        ("x.csv", SKYPILOT, ("--format", "terraform"), "'terraform' is no format", 2),
        ("x.csv", SKYPILOT, ("--as-of", "yesterday"), "'yesterday' is not a date", 2),
        ("x.csv", SKYPILOT, (), "name the catalog to write with --out", 2),
        ("x.json", "{", (), "not JSON", 2),
        ("x.json", '{"a": 1}', (), "names neither CPU nor RAM", 2),
        ("x.json", '{"CPU": "-1", "RAM": "x"}', (), "no row could be used", 1),
        ("x.json", '{"CPU": "1"}', ("--format", "csv"), "is JSON", 2),
        ("x.csv", SKYPILOT.splitlines()[0] + "\n", (), "no row could be used", 1),
    ],
)
def test_what_can_not_be_imported_says_why(
    name: str, text: str, options: tuple[str, ...], said: str, code: int, *, tmp_path: Path
) -> None:
    done = run(write(tmp_path / name, text), *options)
    assert (done.exit_code, done.exception.__class__) == (code, SystemExit)
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_files_that_can_not_be_read_or_written(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(SKYPILOT.encode() + b"\xff")
    assert "not UTF-8" in run(tmp_path / "latin.csv").stderr
    assert "No such file" in run(tmp_path / "missing.csv").stderr
    source = write(tmp_path / "vms.csv", SKYPILOT)
    assert "give --out a file in a folder" in run(source, "--out", tmp_path / "nowhere" / "x.csv").stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["latin.csv", "vms.csv"]


def test_the_line_to_add_is_yaml_whatever_the_files_name(tmp_path: Path) -> None:
    source, out = write(tmp_path / "vms.csv", SKYPILOT), tmp_path / 'a "b": c.csv'
    done = run(source, "--out", out, "--config", tmp_path / "config")
    line = next(line for line in done.stdout.splitlines() if "catalogs:" in line)
    assert yaml.safe_load(line) == {"catalogs": [{"file": '../a "b": c.csv'}, "builtin"]}
