"""A run that only names its cluster is priced as the `resources` file says, from the next poll on."""

from datetime import UTC, datetime
from pathlib import Path

from alerter.config import load
from alerter.explain import explain
from tests.truth.ledgers import HOUR, config_of, house, run

BUDGETS = 'budgets: [{name: all, amount: "1000", period: monthly, receivers: [console], timezone: UTC}]\n'
T0 = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 1000
ON_CLUSTER = {"mlflow.databricks.cluster.id": "0923-meows"}


def test_a_cluster_is_priced_and_a_later_edit_prices_only_what_follows(tmp_path: Path, migrated_sqlite: Path) -> None:
    folder, clusters = tmp_path / "config", tmp_path / "config" / "clusters.csv"
    folder.mkdir()
    clusters.write_text("id,instance_type,nodes,driver_type,provider\n0923-meows,m5.xlarge,2,m5.2xlarge,aws\n")
    config = config_of(folder, BUDGETS, "catalogs: [builtin]\n", "metering: {resources: clusters.csv}\n")
    with house(config, migrated_sqlite, T0) as ledger:
        ledger.source.put(run("r1", "RUNNING", T0, usage=ON_CLUSTER))
        ledger.cycle(T0 + HOUR)
        clusters.write_text("id,instance_type,nodes,provider\n0923-meows,m5.xlarge,4,aws\n")
        ledger.restart(T0 + HOUR, load(folder, {}))
        ledger.cycle(T0 + 2 * HOUR)
        ledger.source.put(run("r1", "FINISHED", T0, T0 + 3 * HOUR, usage=ON_CLUSTER))
        ledger.cycle(T0 + 4 * HOUR)
        with ledger.services.windows.read() as view:
            found = explain(view, "r1", T0 + 4 * HOUR)
    assert [(each["meter"], each["quantity"], each["unit_price"]) for each in found["charges"]] == [
        ("driver", "1", "0.384"),
        ("machine", "2", "0.192"),
        ("machine", "8", "0.192"),
    ]
