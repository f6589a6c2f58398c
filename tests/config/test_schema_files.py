"""`alerter schema --out`: what an editor reads beside the files."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from alerter.cli.app import app
from alerter.config import schema


def test_one_file_each(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["schema", "--out", str(tmp_path / "schema")])
    assert done.exit_code == 0, done.output
    written = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "schema").iterdir()}
    assert written == {name.replace(".yaml", ".json"): made for name, made in schema().items()}
    for each in written.values():
        Draft202012Validator.check_schema(each)


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "schema").write_text("")
    done = CliRunner().invoke(app, ["schema", "--out", str(tmp_path / "schema")])
    assert done.exit_code == 1
    assert "name another folder by --out" in done.output
