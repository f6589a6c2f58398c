"""The package as it is built and installed: its version from git's tags, and everything that it needs inside."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.fixtures.mlflow_server import MlflowServer

ROOT = Path(__file__).parents[1]
PACKAGE = ("mlflow-alerter", "7.8.9")


def run(*command: str, cwd: Path, **environ: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environ, capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def built(folder: Path, source: Path, kind: str, **environ: str) -> Path:
    """Build a wheel or an sdist with what is installed, and return its file."""
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder), cwd=source, **environ)
    (made,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


def unpacked(sdist: Path, folder: Path) -> Path:
    with tarfile.open(sdist) as tar:
        tar.extractall(folder, filter="data")
    (made,) = folder.iterdir()
    return made


def test_a_wheel_from_an_sdist_works_outside_the_repository(tmp_path: Path, mlflow_server: MlflowServer) -> None:
    sdist = built(tmp_path / "sdist", ROOT, "sdist", ALERTER_VERSION="7.8.9")
    wheel = built(tmp_path / "wheel", unpacked(sdist, tmp_path / "source"), "wheel", ALERTER_VERSION="")
    assert wheel.name == "mlflow_alerter-7.8.9-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as packed:
        inside = set(packed.namelist())
    here = {str(path.relative_to(ROOT)) for path in (ROOT / "alerter").rglob("*") if path.is_file()}
    assert {name for name in here if "__pycache__" not in name} <= inside
    assert not [name for name in inside if name.startswith(("tests", "docs", ".ci"))]

    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site))
    run(*pip, str(wheel), cwd=empty)

    def command(*arguments: str) -> str:
        # What the package needs is borrowed from the tests' own; the package itself is the installed one.
        return run(str(site / "bin" / "alerter"), *arguments, cwd=empty, PYTHONPATH=str(site), COLUMNS="120")

    assert command("--version") == "alerter 7.8.9\n"
    shutil.copytree(ROOT / "config", empty / "config")
    assert "0 errors" in command("check", "--offline")
    assert command("migrate").startswith("applied 0001, ")
    assert "p4d.24xlarge" in command("prices", "show", "p4d.24xlarge")
    assert "--port" in command("demo", "--help")
    teams = mlflow_server.experiment(team="vision")
    mlflow_server.ended_run(teams, 1_790_000_000_000, 1_790_000_360_000, params={"instance_type": "m5.xlarge"})
    command("init", "--yes", "--source", mlflow_server.uri, "--config", "first")
    assert "0 errors" in command("check", "--offline", "--config", "first")
    assert sorted(path.name for path in empty.iterdir()) == ["alerter.db", "config", "first"]


def test_the_bill_of_materials_is_valid_and_names_everything_that_is_locked(tmp_path: Path) -> None:
    run(str(ROOT / ".ci" / "sbom"), sys.prefix, str(tmp_path / "sbom.json"), cwd=ROOT, ALERTER_VERSION="7.8.9")
    text = (tmp_path / "sbom.json").read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    told = json.loads(text)
    assert (told["metadata"]["component"]["name"], told["metadata"]["component"]["version"]) == PACKAGE
    lock = (ROOT / ".ci" / "requirements-core.txt").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([\w.-]+)(?:\[\w,]+\])?==([^\s;]+)", lock, re.MULTILINE))
    assert len(locked) > 30
    assert {(each["name"], each["version"]) for each in told["components"]} == locked


def test_each_exception_from_the_rules_on_security_has_its_reason() -> None:
    sources = [*(ROOT / "alerter").rglob("*.py"), *(ROOT / ".ci").glob("*.py")]
    waived = [line for path in sources for line in path.read_text().splitlines()]
    waived = [line for line in waived if re.search(r"# noqa: (?:\w+, )*S\d", line)]
    assert waived
    assert not [line for line in waived if not re.search(r"# noqa: [\w, ]+ - \w", line)]


@pytest.fixture
def version() -> Callable[..., str]:
    spec = importlib.util.spec_from_file_location("version", ROOT / ".ci" / "version.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Callable[..., str] = module.version
    return made


def test_the_version_is_that_of_the_tag(version: Callable[..., str], tmp_path: Path) -> None:
    nothing: Mapping[str, str] = {}
    person = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")

    def git(*arguments: str, cwd: Path = tmp_path) -> str:
        return run("git", *person, *arguments, cwd=cwd).strip()

    def commit() -> str:
        git("commit", "--quiet", "--allow-empty", "--message", "more")
        return f"+g{git('rev-parse', '--short', 'HEAD')}"

    assert version(tmp_path, nothing) == "0.1.0.dev0"
    git("init", "--quiet")
    assert version(tmp_path, nothing) == "0.1.0.dev0"
    first = commit()
    assert version(tmp_path, nothing) == f"0.1.0.dev1{first}"
    git("tag", "v0.9.0")
    assert version(tmp_path, nothing) == "0.9.0"
    git("tag", "not-a-version")
    assert version(tmp_path, nothing) == "0.9.0"
    second = commit()
    assert version(tmp_path, nothing) == f"0.9.1.dev1{second}"
    git("tag", "v1.0.0rc1")
    assert version(tmp_path, nothing) == "1.0.0rc1"
    last = commit()
    assert version(tmp_path, nothing) == f"1.0.0.dev1{last}"
    git("clone", "--quiet", "--depth", "1", "--no-tags", tmp_path.as_uri(), "shallow")
    assert version(tmp_path / "shallow", nothing) == f"0.1.0.dev1{last}"
    assert version(tmp_path, {"ALERTER_VERSION": "v2.0.0"}) == "2.0.0"
