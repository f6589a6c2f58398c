"""What `alerter top` makes of what people type."""

from pathlib import Path

from tests.audit.tools import alerter
from tests.onboarding.test_advice import BUDGETS


def test_a_number_is_how_many_runs_and_no_name(tmp_path: Path) -> None:
    (tmp_path / "alerter.yaml").write_text(
        f"database: sqlite:///{tmp_path}/alerter.db\nreceivers: [{{name: costs, console: {{}}}}]\n"
    )
    (tmp_path / "budgets.yaml").write_text(BUDGETS)
    alerter("migrate", config=tmp_path)
    said = alerter("top", "5", config=tmp_path, code=1)
    assert "no budget or tag value is called '5'; for 5 runs: alerter top -n 5" in said
    assert "no runs in the current periods" in alerter("top", "-n", "5", config=tmp_path)
    assert "there are: none" in alerter("top", "vision", config=tmp_path, code=1)
