"""What is particular to Slack: its errors, its pace, its channels, its buttons, its check."""

import threading
import time

import pytest

from alerter.core.ports import (
    DeliveryAmbiguousError,
    DeliveryDelayedError,
    DeliveryError,
    DeliveryRejectedError,
    Receipt,
    Target,
)
from alerter.notifiers.slack import SlackNotifier
from tests.fixtures.scripted_slack import FORWARD, ScriptedSlack, ScriptedStarter, Step
from tests.fixtures.slack_emulator import (
    EMULATE_TOKEN_WITHOUT_CHAT,
    EMULATE_TOKEN_WITHOUT_HISTORY,
    SlackServer,
    free_port,
)
from tests.notifiers.samples import NOW, acknowledged, message

TARGET = Target("ml-costs", {"channel": "#ml-costs"})
TOKEN = "xoxb-t0ken-that-nobody-may-see"


def notifier(server: ScriptedSlack | SlackServer, token: str = TOKEN, **options: object) -> SlackNotifier:
    given = {"timeout": 1, "pace": 0.0, "backoff": 0.01} | options
    return SlackNotifier(token, base_url=server.base_url, **given)  # type: ignore[arg-type]


REFUSALS = ["channel_not_found", "is_archived", "not_in_channel", "invalid_auth", "token_revoked", "missing_scope"]
OUTCOMES = [
    *[(Step(200, {"ok": False, "error": code}), DeliveryRejectedError) for code in REFUSALS],
    (Step(200, {"ok": False, "error": "some_new_code"}), DeliveryRejectedError),
    (Step(404, "<html>not here</html>"), DeliveryRejectedError),
    (Step(200, {"ok": False, "error": "ratelimited"}), DeliveryDelayedError),
    (Step(429, "", {"Retry-After": "7"}), DeliveryDelayedError),
    (Step(429, ""), DeliveryDelayedError),
    (Step(429, "", {"Retry-After": "soon"}), DeliveryDelayedError),
    (Step(200, {"ok": False, "error": "internal_error"}), DeliveryAmbiguousError),
    (Step(200, {"ok": False, "error": "fatal_error"}), DeliveryAmbiguousError),
    (Step(500, {"ok": False, "error": "x"}), DeliveryAmbiguousError),
    (Step(503, "<html>gateway</html>"), DeliveryAmbiguousError),
    (Step(200, "<html>please log in to the hotel's network</html>"), DeliveryAmbiguousError),
    (Step(200, "[]"), DeliveryAmbiguousError),
    (Step(200, "null"), DeliveryAmbiguousError),
    (Step(200, ""), DeliveryAmbiguousError),
    (Step(200, {"ok": True}), DeliveryAmbiguousError),
    (Step(drop=True), DeliveryAmbiguousError),
    (Step(200, {"ok": True, "channel": "C1", "ts": "1.1"}, delay=1.5), DeliveryAmbiguousError),
]


@pytest.mark.parametrize(("step", "kind"), OUTCOMES, ids=range(len(OUTCOMES)))
def test_each_outcome_of_a_post_is_told_apart(
    scripted_slack: ScriptedSlack, step: Step, kind: type[DeliveryError]
) -> None:
    scripted_slack.script(step)
    with pytest.raises(kind) as caught:
        notifier(scripted_slack).send(TARGET, message(), {}, "k")
    assert "#ml-costs" in str(caught.value)
    assert len(scripted_slack.asked("chat.postMessage")) == 1  # nothing re-sends behind our back
    if isinstance(caught.value, DeliveryDelayedError):
        assert caught.value.retry_after in (7.0, 30.0)
    if kind is DeliveryRejectedError:
        assert "; " in str(caught.value)


def test_a_slack_that_cannot_be_reached_has_certainly_not_delivered(scripted_slack: ScriptedSlack) -> None:
    scripted_slack.base_url = f"http://127.0.0.1:{free_port()}/api/"
    with pytest.raises(DeliveryDelayedError, match="connection refused"):
        notifier(scripted_slack).send(TARGET, message(), {}, "k")
    scripted_slack.base_url = "http://slack.invalid/api/"
    with pytest.raises(DeliveryDelayedError, match="its name was not found"):
        notifier(scripted_slack).send(TARGET, message(), {}, "k")


@pytest.mark.parametrize("token", ["", "xoxb-one\nxoxb-two", "xoxb-ünïcode", "xoxb with spaces"])
def test_a_token_that_is_none_is_refused_before_anything_is_sent(scripted_slack: ScriptedSlack, token: str) -> None:
    with pytest.raises(DeliveryRejectedError, match="SLACK_BOT_TOKEN") as caught:
        notifier(scripted_slack, token).send(TARGET, message(), {}, "k")
    assert not token or token not in str(caught.value)
    assert scripted_slack.requests == []


def test_a_receiver_without_channel_is_refused_by_name(scripted_slack: ScriptedSlack) -> None:
    with pytest.raises(DeliveryRejectedError, match="receiver oncall names no Slack channel"):
        notifier(scripted_slack).send(Target("oncall", {}), message(), {}, "k")


def test_a_post_carries_its_key_and_unfurls_nothing(scripted_slack: ScriptedSlack) -> None:
    receipt = notifier(scripted_slack).send(TARGET, message(), {}, "the-key")
    (body,) = scripted_slack.asked("chat.postMessage")
    assert body["metadata"] == {"event_type": "budget_alert", "event_payload": {"key": "the-key"}}
    assert (body["unfurl_links"], body["unfurl_media"]) == (False, False)
    assert "link_names" not in body
    assert body["text"].startswith("🟠 vision")
    assert receipt == Receipt({"channel": "C01COST", "ts": "1.000100"})


def test_refused_blocks_still_leave_a_text(scripted_slack: ScriptedSlack, caplog: pytest.LogCaptureFixture) -> None:
    scripted_slack.script(Step(200, {"ok": False, "error": "invalid_blocks"}))
    notifier(scripted_slack).send(TARGET, message(), {}, "k")
    first, second = scripted_slack.asked("chat.postMessage")
    assert first["blocks"]
    assert second["blocks"] == []
    assert "vision" in second["text"]
    assert "Slack refused the message's blocks" in caplog.text


def test_an_edit_is_repeated_until_it_is_done(scripted_slack: ScriptedSlack) -> None:
    scripted_slack.script(Step(500, ""), Step(drop=True))
    receipt = Receipt({"channel": "C01COST", "ts": "1.1"})
    notifier(scripted_slack).update(TARGET, receipt, message(), {"A-7F3K": acknowledged()}, "k")
    assert len(scripted_slack.asked("chat.update")) == 3


def test_an_edit_of_a_deleted_message_is_refused_at_once(scripted_slack: ScriptedSlack) -> None:
    scripted_slack.script(Step(200, {"ok": False, "error": "message_not_found"}))
    with pytest.raises(DeliveryRejectedError, match="was deleted in Slack"):
        notifier(scripted_slack).update(TARGET, Receipt({"channel": "C1", "ts": "1"}), message(), {}, "k")
    assert len(scripted_slack.asked("chat.update")) == 1


def test_a_look_up_that_fails_is_tried_again_later_not_taken_for_absence(scripted_slack: ScriptedSlack) -> None:
    scripted_slack.otherwise = Step(500, "")
    with pytest.raises(DeliveryDelayedError):
        notifier(scripted_slack).find(Target("r", {"channel": "C01COST77"}), "k", NOW)


def test_a_look_up_pages_through_the_history_since_a_little_before(scripted_slack: ScriptedSlack) -> None:
    wanted = {"ts": "5.5", "metadata": {"event_payload": {"key": "k"}}}
    scripted_slack.script(
        Step(
            200,
            {
                "ok": True,
                "messages": [{"ts": "9"}, {"ts": "8", "metadata": {}}],
                "response_metadata": {"next_cursor": "c2"},
            },
        ),
        Step(200, {"ok": True, "messages": [{"ts": "6", "metadata": {"event_payload": {"key": "other"}}}, wanted]}),
    )
    found = notifier(scripted_slack).find(Target("r", {"channel": "C01COST77"}), "k", NOW)
    assert found == Receipt({"channel": "C01COST77", "ts": "5.5"})
    first, second = scripted_slack.asked("conversations.history")
    assert float(first["oldest"]) == NOW // 1000 - 300
    assert first["include_all_metadata"] in ("1", "True", "true")
    assert second["cursor"] == "c2"


class Clock:
    """Seconds that pass only where somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0


class Stop(threading.Event):
    """A stop event on that clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        self._clock.now += timeout or 0.0
        return self.is_set()


def test_posts_to_one_channel_keep_a_second_apart(scripted_slack: ScriptedSlack) -> None:
    clock = Clock()
    stop = Stop(clock)
    slack = notifier(scripted_slack, pace=1.0, clock=lambda: clock.now, stop=stop)
    for channel in ("#a", "#a", "#b", "#a"):
        slack.send(Target("r", {"channel": channel}), message(), {}, "k")
    assert stop.waits == [0.0, 1.0, 0.0, 1.0]


def test_after_a_rate_limit_the_channel_is_left_alone_for_as_long(scripted_slack: ScriptedSlack) -> None:
    clock = Clock()
    slack = notifier(scripted_slack, pace=1.0, clock=lambda: clock.now, stop=Stop(clock))
    scripted_slack.script(Step(429, "", {"Retry-After": "20"}))
    for _ in range(2):
        with pytest.raises(DeliveryDelayedError) as caught:
            slack.send(TARGET, message(), {}, "k")
        assert caught.value.retry_after == 20.0
    assert len(scripted_slack.asked("chat.postMessage")) == 1
    clock.now += 20
    slack.send(TARGET, message(), {}, "k")


def test_stopping_ends_the_wait_and_sends_nothing(scripted_slack: ScriptedSlack) -> None:
    stop = threading.Event()
    slack = notifier(scripted_slack, pace=4.0, stop=stop)
    slack.send(TARGET, message(), {}, "k")
    started = time.monotonic()
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(DeliveryDelayedError, match="stopping"):
        slack.send(TARGET, message(), {}, "k")
    assert time.monotonic() - started < 2
    assert len(scripted_slack.asked("chat.postMessage")) == 1


@pytest.mark.needs_node
def test_a_channel_is_found_by_the_name_people_write(
    emulate: SlackServer, start_scripted_slack: ScriptedStarter
) -> None:
    front = start_scripted_slack(upstream=emulate.base_url, otherwise=FORWARD)
    slack = notifier(front, emulate.token)
    for _ in range(2):
        receipt = slack.send(Target("r", {"channel": "#ML-Costs"}), message(), {}, "k")
        assert receipt.reference["channel"] == emulate.channels["ml-costs"]
    assert len(front.asked("conversations.list")) == 1


@pytest.mark.needs_node
def test_without_the_scope_to_look_up_it_says_so_and_finds_nothing(
    emulate: SlackServer, caplog: pytest.LogCaptureFixture
) -> None:
    slack = notifier(emulate, EMULATE_TOKEN_WITHOUT_HISTORY)
    slack.send(Target("r", {"channel": "ml-costs"}), message(), {}, "key-h")
    assert slack.find(Target("r", {"channel": "ml-costs"}), "key-h", NOW - 3_600_000) is None
    assert "it may come twice" in caplog.text
    assert "missing_scope" in caplog.text


@pytest.mark.needs_node
def test_without_the_scope_to_post_it_is_refused(emulate: SlackServer) -> None:
    with pytest.raises(DeliveryRejectedError, match="missing_scope; add the scopes"):
        notifier(emulate, EMULATE_TOKEN_WITHOUT_CHAT).send(TARGET, message(), {}, "k")
