"""What people ask of `/budget`, and of a message's buttons; and whether Slack takes the answer."""

from typing import Any

from alerter.core.money import NANOS
from alerter.core.views import RunCost
from alerter.notifiers.slack.limits import problems
from alerter.slack_requests.policy import Policy
from alerter.slack_requests.reply import Reply

OPEN = Policy()
EVIL = "<!channel> `x` *b*\n<https://evil.example|click> & \u202egnp"


def command(text: str, **more: str) -> dict[str, str]:
    return {
        "command": "/budget",
        "text": text,
        "team_id": "T01TEST",
        "channel_id": "C01COST",
        "channel_name": "ml-costs",
        "user_id": "U01ANNA",
        "user_name": "anna",
        **more,
    }


def button(**more: object) -> dict[str, Any]:
    return {
        "type": "block_actions",
        "team": {"id": "T01TEST"},
        "user": {"id": "U01ANNA", "username": "anna", "name": "anna"},
        "channel": {"id": "C01COST", "name": "ml-costs"},
        "actions": [{"action_id": "ack", "block_id": "b", "value": "A-7F3K"}],
        **more,
    }


def run(name: str, **more: object) -> RunCost:
    values: dict[str, Any] = {
        "run_uuid": "9f2c",
        "name": name,
        "budget": "every-team",
        "scope": (("team", "vision"),),
        "machine": "4 x p4d.24xlarge (from num_workers)",
        "running": True,
        "currency": "USD",
        "cost_nanos": 1480 * NANOS,
        "per_hour_nanos": 88 * NANOS,
        "url": "https://mlflow.example.com/#/experiments/1/runs/9f2c",
    }
    values.update(more)
    return RunCost(**values)


def chosen(value: str) -> dict[str, Any]:
    return button(actions=[{"action_id": "snooze", "selected_option": {"value": value}}])


def assert_slack_takes(reply: Reply) -> None:
    assert problems(reply.blocks, reply.text) == []
