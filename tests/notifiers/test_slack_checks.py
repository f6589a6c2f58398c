"""What `alerter check` says of Slack: the token, its scopes, each channel."""

import pytest

from alerter.core.ports import Finding, Target
from tests.fixtures.scripted_slack import ScriptedSlack, Step
from tests.fixtures.slack_emulator import SlackServer
from tests.notifiers.test_slack import TARGET, notifier


def levels(findings: list[Finding]) -> dict[str, str]:
    return {each.subject: each.level for each in findings}


@pytest.mark.needs_node
def test_the_check_looks_at_each_channel(emulate: SlackServer) -> None:
    names = ("ml-costs", "ml-secret", "attic", "nowhere")
    findings = notifier(emulate, emulate.token).check([Target(name, {"channel": f"#{name}"}) for name in names])
    found = levels(findings)
    assert found["receiver ml-costs"] == "ok"
    assert found["receiver ml-secret"] == "ok"
    assert (found["receiver attic"], found["receiver nowhere"]) == ("error", "error")
    assert all(each.remedy for each in findings if each.level == "error")


def check_steps(scopes: str, *channels: dict[str, object]) -> list[Step]:
    return [
        Step(200, {"ok": True, "team": "Acme", "user": "budgets"}, {"X-OAuth-Scopes": scopes}),
        Step(200, {"ok": True, "channels": list(channels)}),
    ]


def test_the_check_says_what_each_missing_scope_costs(scripted_slack: ScriptedSlack) -> None:
    channel = {"id": "C01COST77", "name": "ml-costs", "is_member": True}
    scripted_slack.script(*check_steps("commands", channel))
    findings = notifier(scripted_slack).check([TARGET])
    costs = {each.subject: (each.level, each.text) for each in findings}
    assert costs["slack scope chat:write"] == ("error", "missing: no message can be sent")
    assert costs["slack scope channels:history"][0] == "warning"
    assert "twice" in costs["slack scope channels:history"][1]
    assert costs["slack scope channels:read"][0] == "warning"


PRIVATE = {"id": "C02SECRET", "name": "ml-secret", "is_private": True, "is_member": True}
PUBLIC = {"id": "C01COST77", "name": "ml-costs", "is_member": True}


@pytest.mark.parametrize(
    ("scopes", "channel", "missing"),
    [
        ("chat:write,groups:read,groups:history", PRIVATE, []),
        ("chat:write,groups:read", PRIVATE, ["slack scope groups:history"]),
        ("chat:write,channels:read,channels:history", PUBLIC, []),
        ("chat:write,channels:read", PUBLIC, ["slack scope channels:history"]),
    ],
)
def test_channels_need_the_scopes_of_their_kind_only(
    scripted_slack: ScriptedSlack, scopes: str, channel: dict[str, object], missing: list[str]
) -> None:
    scripted_slack.script(*check_steps(scopes, channel))
    findings = notifier(scripted_slack).check([Target("team", {"channel": f"#{channel['name']}"})])
    assert [each.subject for each in findings if each.level != "ok"] == missing
    assert all(f"#{channel['name']}" in each.text for each in findings if each.level == "warning")


def test_private_channels_are_listed_without_the_scope_for_public_ones(scripted_slack: ScriptedSlack) -> None:
    first, listed = check_steps("chat:write,groups:read,groups:history", PRIVATE)
    refused = Step(200, {"ok": False, "error": "missing_scope", "needed": "channels:read"})
    scripted_slack.script(first, refused, refused, listed)
    findings = notifier(scripted_slack).check([Target("team", {"channel": "#ml-secret"})])
    assert {each.level for each in findings} == {"ok"}
    assert [each["types"] for each in scripted_slack.asked("conversations.list")] == [
        "public_channel,private_channel",
        "public_channel",
        "private_channel",
    ]


@pytest.mark.parametrize(("scopes", "level"), [("chat:write", "error"), ("chat:write,chat:write.public", "ok")])
def test_the_check_wants_the_bot_in_the_channel(scripted_slack: ScriptedSlack, scopes: str, level: str) -> None:
    scripted_slack.script(*check_steps(scopes, {"id": "C01COST77", "name": "ml-costs", "is_member": False}))
    assert levels(notifier(scripted_slack).check([TARGET]))["receiver ml-costs"] == level


def test_the_check_of_a_revoked_token_is_one_line_with_its_remedy(scripted_slack: ScriptedSlack) -> None:
    scripted_slack.script(Step(200, {"ok": False, "error": "token_revoked"}))
    (finding,) = notifier(scripted_slack).check([TARGET])
    assert (finding.level, finding.subject) == ("error", "slack")
    assert "token_revoked" in finding.text
    assert "SLACK_BOT_TOKEN" in finding.remedy
