"""Each recipe of docs/recipes.md as it stands, run against a real MLflow server: its runs have a team and a price."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from alerter.bootstrap import make_pricer
from alerter.core.charges import Confidence
from alerter.core.resources import usage_keys
from alerter.core.usage import RunObservation
from alerter.sources.mlflow_rest import MlflowRestSource
from tests.docs.pages import text_of
from tests.fixtures.mlflow_server import MlflowServer
from tests.sources.poller import Poller
from tests.truth.ledgers import config_of

PAGE = text_of("docs/recipes.md")
NOW = 1_795_435_200_000
BUDGET = "budgets: [{name: all, amount: 1, period: monthly, receivers: [console]}]\n"


def snippet(title: str, language: str) -> str:
    """Return the first block of a language under a heading."""
    section = PAGE.partition(f"\n# {title}\n" if title.startswith("Telling") else f"\n## {title}\n")[2] or PAGE
    found = re.search(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


TRAIN = snippet("Telling whose a run is, and what it runs on", "python")


@dataclass(frozen=True)
class Recipes:
    server: MlflowServer
    folder: Path

    def run(self, code: str, **environ: str) -> None:
        """Run a script as its own process, as somebody would who has only these variables."""
        path = self.folder / "train.py"
        path.write_text(code, encoding="utf-8")
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
        variables = {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", **environ, "MLFLOW_TRACKING_URI": self.server.uri}
        subprocess.run([sys.executable, str(path)], env=variables, cwd=self.folder, check=True, capture_output=True)

    def last(self, experiment: str) -> tuple[RunObservation, dict[str, str]]:
        """Return the newest run of an experiment as the daemon reads it, and what its machine costs by meter."""
        source = MlflowRestSource(
            name="main", tracking_uri=self.server.uri, include=[experiment], usage_keys=usage_keys()
        )
        seen = Poller(source).poll().runs.values()
        run = max(seen, key=lambda each: (each.start_ms, each.run_uuid))
        pricer = make_pricer(config_of(self.folder / "config", BUDGET, ""))
        plan = pricer.plan(run.usage, run.tags, NOW)
        assert not [rate for rate, _ in plan if rate.confidence is Confidence.GAP]
        return run, {rate.meter.value: rate.rule for rate, _ in plan}


@pytest.fixture
def recipes(mlflow_server: MlflowServer, tmp_path: Path) -> Recipes:
    return Recipes(mlflow_server, tmp_path)


def context_of(environment: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = json.loads(environment["MLFLOW_RUN_CONTEXT"])
    assert all(isinstance(each, str) for each in found.values())
    return found


def team_of(run: RunObservation) -> str:
    return dict(run.tags)["team"]


def test_plain_python(recipes: Recipes) -> None:
    recipes.run(snippet("Plain Python", "python"))
    run, prices = recipes.last("fraud-detection")
    assert team_of(run) == "risk"
    assert "g5.2xlarge" in prices["machine"]


def test_many_experiments_at_once(recipes: Recipes) -> None:
    experiment = recipes.server.experiment("/teams/vision/resnet")
    recipes.server.ended_run(experiment, NOW, NOW + 1, params={"instance_type": "m5.xlarge"})
    recipes.run(snippet("Many experiments at once", "python"))
    assert team_of(recipes.last("/teams/vision/resnet")[0]) == "vision"


def test_a_ci_launcher(recipes: Recipes) -> None:
    (line,) = [each for each in snippet("A CI launcher", "sh").splitlines() if each.startswith("export ")]
    name, _, value = line.removeprefix("export ").partition("=")
    recipes.run(TRAIN, **{name: value.strip("'")})
    run, prices = recipes.last("resnet")
    assert (team_of(run), dict(run.tags)["ci_job"]) == ("vision", "nightly")
    assert "m5.xlarge" in prices["machine"]


def test_kubernetes(recipes: Recipes) -> None:
    job = yaml.safe_load(snippet("Kubernetes", "yml"))
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    recipes.run(TRAIN, **as_a_kubelet(container["env"], job["spec"]["template"]))
    run, prices = recipes.last("resnet")
    assert team_of(run) == "vision"
    assert set(prices) == {"vcpu", "gib", "gpu"}
    assert dict(run.usage)["cpu_request"] == "4000m"


def test_sagemaker(recipes: Recipes) -> None:
    made: dict[str, Any] = {}
    exec(snippet("SageMaker", "python"), made)  # noqa: S102 - a page of our own
    context = context_of(made["environment"])
    recipes.run(TRAIN, **made["environment"])
    run, prices = recipes.last("resnet")
    assert team_of(run) == context["team"]
    assert "derived ml.g5.2xlarge" in prices["machine"]


def test_databricks(recipes: Recipes) -> None:
    cluster = json.loads(snippet("Databricks", "json"))
    context = context_of(cluster["spark_env_vars"])
    assert int(context["num_nodes"]) == cluster["num_workers"] + 1
    recipes.run(TRAIN, **cluster["spark_env_vars"])
    run, prices = recipes.last("resnet")
    assert team_of(run) == "vision"
    assert dict(run.usage)["num_nodes"] == "5"
    assert "g5.2xlarge" in prices["machine"]


def as_a_kubelet(variables: list[dict[str, Any]], pod: dict[str, Any]) -> dict[str, str]:
    """Give a container's variables their values as Kubernetes documents it, ``$(NAME)`` of earlier ones filled in."""
    requests = pod["spec"]["containers"][0]["resources"]["requests"]
    known = {
        "metadata.labels['team']": pod["metadata"]["labels"]["team"],
        "requests.cpu": str(int(requests["cpu"]) * 1000),  # by the divisor 1m
        "requests.memory": str(int(requests["memory"].removesuffix("Gi")) * 2**30),
    }
    found: dict[str, str] = {}
    for each in variables:
        value = each.get("value")
        if value is None:
            (where,) = each["valueFrom"].values()
            value = known[where.get("fieldPath") or where["resource"]]
        found[each["name"]] = re.sub(r"\$\((\w+)\)", lambda name: found.get(name[1], name[0]), value)
    return found
