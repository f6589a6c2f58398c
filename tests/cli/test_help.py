"""What a stranger reads first."""

import pytest
from typer.testing import CliRunner

from alerter.cli.app import app


@pytest.mark.parametrize("group", [(), ("prices",), ("ledger",)], ids=" ".join)
def test_each_command_says_what_it_does_in_one_line_of_a_usual_terminal(group: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*group, "--help"], terminal_width=80)
    assert shown.exit_code == 0
    lines = shown.stdout.partition("Commands:")[2].splitlines()[1:]
    assert len(lines) > 1
    assert not [line for line in lines if not line.endswith(".") or line.endswith("...")]
