"""The examples in docs/deploy: they say what Kubernetes and Compose understand, and what the program does."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from alerter.config import load

PROJECT = Path(__file__).parents[2]
DEPLOY = PROJECT / "docs" / "deploy"
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
COMMANDS = Path(sys.executable).parent


def run(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def composed(path: Path) -> tuple[int, str]:
    """What the Compose specification's own schema says of a file."""
    return run(COMMANDS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)


def of_kind(kind: str) -> dict[str, Any]:
    return next(each for each in KUBERNETES if each["kind"] == kind)


@pytest.mark.parametrize("resource", KUBERNETES, ids=lambda each: str(each["kind"]))
def test_kubernetes_understands_each_resource(resource: Mapping[str, Any]) -> None:
    kubernetes_validate.validate(dict(resource), kubernetes_validate.latest_version(), strict=True)


def test_a_misspelt_field_would_be_seen() -> None:
    wrong = copy.deepcopy(of_kind("Deployment"))
    wrong["spec"]["template"]["spec"]["containers"][0]["readOnly"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_what_selects_the_pods_is_on_them() -> None:
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert of_kind("Deployment")["spec"]["selector"]["matchLabels"] == labels
    assert of_kind("Service")["spec"]["selector"] == labels
    assert of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels


def test_the_pods_read_a_configuration_that_the_program_takes(tmp_path: Path) -> None:
    for name, text in of_kind("ConfigMap")["data"].items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("slack_bot_token", "slack_app_token", "alerter_web_token"):
        (secrets / name).write_text("made-up", encoding="utf-8")
    config = load(tmp_path, {"CREDENTIALS_DIRECTORY": str(secrets)})
    assert config.database.startswith("postgresql+psycopg://")
    assert config.web.listen.endswith(":8321")
    assert [each.name for each in config.budgets] == ["every-team"]


def test_the_pods_run_as_the_image_has_it() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    assert f"USER {pod['securityContext']['runAsUser']}\n" in dockerfile
    mounts = {each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
    assert {"/etc/alerter", "/var/lib/alerter", "/tmp"} <= mounts  # noqa: S108 - the pod's
    assert "ALERTER_CONFIG=/etc/alerter" in dockerfile
    assert "WORKDIR /var/lib/alerter" in dockerfile


def test_compose_gives_the_daemon_a_configuration_that_the_program_takes(tmp_path: Path) -> None:
    daemon = COMPOSE["services"]["alerter"]
    for each in daemon["configs"]:
        text = COMPOSE["configs"][each["source"]]["content"]
        (tmp_path / Path(each["target"]).name).write_text(text, encoding="utf-8")
    config = load(tmp_path, {**daemon["environment"], "ALERTER_WEB_TOKEN": "made-up"})
    assert config.sources[0].tracking_uri == "http://mlflow:5000"
    assert config.database.startswith("postgresql+psycopg://")


def test_compose_understands_its_file(tmp_path: Path) -> None:
    assert composed(DEPLOY / "compose.yaml") == (0, "ok -- validation done\n")
    wrong = copy.deepcopy(COMPOSE)
    wrong["services"]["alerter"]["readonly"] = True
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(wrong), encoding="utf-8")
    code, said = composed(tmp_path / "compose.yaml")
    assert code != 0
    assert "readonly" in said


def test_the_dockerfile_has_no_bad_habits(tmp_path: Path) -> None:
    assert run(COMMANDS / "hadolint", PROJECT / "Dockerfile") == (0, "")
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN sudo apt-get install gcc\n", encoding="utf-8")
    assert run(COMMANDS / "hadolint", tmp_path / "Dockerfile")[0] != 0


def test_compose_names_only_what_it_defines() -> None:
    for service in COMPOSE["services"].values():
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        assert {each["source"] for each in service.get("configs", ())} <= set(COMPOSE["configs"])
        assert set(service.get("depends_on", ())) <= set(COMPOSE["services"])
        named = {each.split(":")[0] for each in service.get("volumes", ())}
        assert named <= set(COMPOSE["volumes"])
