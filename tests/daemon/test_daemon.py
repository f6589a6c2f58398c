"""A daemon in a thread: it polls, tells, is asked, reloads, and ends."""

import threading
import time
from urllib.parse import urlencode

import pytest
from slack_sdk.signature import SignatureVerifier

from tests.daemon.conftest import ALERTER, BUDGETS, House, Running, until
from tests.fixtures.window_data import SECRET


def slash(running: Running, text: str) -> str:
    body = urlencode({"command": "/budget", "text": text, "user_id": "U01ANNA", "user_name": "anna"})
    stamp = str(int(time.time()))
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=stamp, body=body)
    headers = {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": str(signature),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    answer = running.client.post("/slack/commands", content=body, headers=headers)
    assert answer.status_code == 200
    return str(answer.json()["text"])


def test_it_polls_and_tells_once(house: House) -> None:
    with house.running() as running:
        until(lambda: "90 % used" in house.text())
        until(lambda: house.source.polls >= 4)
        assert house.text().count("90 % used") == 1
        (alert,) = running.alerts()
        assert (alert["budget"], alert["threshold"], alert["status"]) == ("everything", 80, "firing")
        assert running.client.get("/readyz").json() == {"ready": True, "reasons": []}
        assert "everything" in running.client.get("/").text
        assert running.metric('alerter_polls_total{source="main"}') >= 3  # type: ignore[operator]
        assert running.metric('alerter_polls_failed_total{source="main"}') == 0
        assert running.metric('alerter_alerts{status="firing"}') == 1
        assert running.metric('alerter_notifications{kind="console",state="sent"}') == 1
        assert running.metric("alerter_config_last_reload_successful") == 1


def test_a_start_tells_nothing_again(house: House) -> None:
    for _ in range(2):
        with house.running():
            until(lambda: "90 % used" in house.text())
            house.source.polls = 0
            until(lambda: house.source.polls > 2)
    assert house.text().count("90 % used") == 1


def test_an_acknowledgement_from_slack_reaches_the_message_at_once(house: House) -> None:
    house.write("alerter.yaml", ALERTER.replace("200ms", "1h"))  # nothing but the acknowledgement wakes the outbox
    with house.running() as running:
        until(lambda: running.alerts() and running.alerts()[0]["deliveries"][0]["state"] == "sent")
        (alert,) = running.alerts()
        began = time.monotonic()
        assert slash(running, f"ack {alert['id']} -- known").startswith("✅ ")
        until(lambda: house.console.updates)
        assert time.monotonic() - began < 2
        assert house.console.updates[-1][alert["id"]].by == "slack:U01ANNA (anna)"
        (alert,) = running.alerts()
        assert (alert["status"], alert["acknowledged_by"]) == ("acknowledged", "slack:U01ANNA (anna)")
        assert "everything" in slash(running, "status")
        assert "everything" in slash(running, "list over 80")
        assert "trial-14" in slash(running, "top 3")
        assert slash(running, f"unack {alert['id']}").startswith("✅ ")
        assert running.alerts()[0]["status"] == "firing"


def test_a_changed_budget_takes_effect(house: House) -> None:
    with house.running() as running:
        until(running.alerts)
        house.write("budgets.yaml", BUDGETS % 1000)
        until(lambda: running.alerts()[0]["status"] == "resolved")
        (budget,) = running.client.get("/api/status").json()["budgets"]
        assert (budget["amount"], budget["spent"]) == ("1000.00", "9.00")
        house.write("budgets.yaml", BUDGETS % 8)
        until(lambda: "112 % used" in house.text())


def test_the_poll_follows_its_interval(house: House) -> None:
    house.write("alerter.yaml", ALERTER.replace("200ms", "1h"))
    with house.running() as running:
        until(lambda: house.source.polls == 1)
        running.daemon.reload()  # reads everything anew, and polls with it
        until(lambda: house.source.polls == 2)
        house.write("alerter.yaml", ALERTER)
        until(lambda: house.source.polls > 5)


def test_a_bad_file_keeps_its_last_good_version_and_the_others_take_effect(house: House) -> None:
    (house.folder / "budgets.yaml").unlink()
    house.write("budgets/a.yaml", BUDGETS % 10)
    house.write("budgets/b.yaml", BUDGETS.replace("everything", "more") % 10)
    with house.running() as running:
        until(lambda: len(running.alerts()) == 2)
        house.write("budgets/a.yaml", BUDGETS % "minus")
        house.write("budgets/b.yaml", BUDGETS.replace("everything", "more") % 500)
        until(lambda: "The configuration has errors" in house.text())
        until(lambda: running.metric("alerter_config_last_reload_successful") == 0)
        amounts = {each["budget"]: each["amount"] for each in running.client.get("/api/status").json()["budgets"]}
        assert amounts == {"everything": "10.00", "more": "500.00"}
        assert "a.yaml:3" in running.client.get("/").text
        for _ in range(3):
            running.daemon.reload()
        before = house.source.polls
        until(lambda: house.source.polls > before + 3)
        assert house.text().count("The configuration has errors") == 1
        assert "a.yaml:3" in house.text()
        house.write("budgets/a.yaml", BUDGETS % 20)
        until(lambda: running.metric("alerter_config_last_reload_successful") == 1)
        assert "a.yaml:3" not in running.client.get("/").text


def test_a_file_with_a_mistake_is_told_to_its_owners_too(house: House) -> None:
    (house.folder / "budgets.yaml").unlink()
    house.write("alerter.yaml", ALERTER.replace("}]\n", "}, {name: vision-leads, console: {}}]\n"))
    house.write("budgets/a.yaml", BUDGETS % 10)
    house.write("budgets/vision.yaml", "operators: vision-leads\n" + BUDGETS.replace("everything", "vision") % 10)
    with house.running() as running:
        until(lambda: len(running.alerts()) == 2)
        house.write("budgets/vision.yaml", BUDGETS.replace("everything", "vision") % "minus")  # names nobody any more
        until(lambda: sorted(house.notices("vision.yaml:3")) == ["ops", "vision-leads"])
        house.write("budgets/a.yaml", BUDGETS % "minus")
        until(lambda: house.notices("a.yaml:3") == ["ops"])
    assert house.notices("vision.yaml:3").count("vision-leads") == 1  # another file's mistake is no news to them


def test_a_catalog_that_breaks_keeps_the_configuration_in_force(house: House) -> None:
    with house.running() as running:
        until(running.alerts)
        house.write("ours.csv", "no,heads,that,a,catalog,has\n")
        house.write("prices.yaml", "catalogs: [{file: ours.csv}]\n")
        until(lambda: running.metric("alerter_config_last_reload_successful") == 0)
        assert running.client.get("/api/status").json()["budgets"][0]["spent"] == "9.00"
        until(lambda: "The configuration has errors" in house.text())
        assert "ours.csv" in house.text()


def test_a_setting_that_needs_a_restart_is_told(house: House) -> None:
    with house.running() as running:
        house.write("alerter.yaml", ALERTER.replace("127.0.0.1:0", "127.0.0.1:1") + "database: sqlite:///other.db\n")
        until(lambda: "A changed setting needs a restart" in house.text())
        for setting in ("`database`", "`web.listen`"):
            assert f"{setting} takes effect after a restart" in house.text()
        assert "web.listen" in running.client.get("/").text


def test_a_secret_is_read_again_on_request(house: House) -> None:
    with house.running() as running:
        house.environ["ALERTER_WEB_TOKEN"] = "a-made-up-token"
        assert running.client.get("/api/status").status_code == 200
        running.daemon.reload()
        until(lambda: running.client.get("/api/status").status_code == 401)


def test_a_source_that_fails_is_counted_and_makes_it_not_ready(house: House) -> None:
    house.source.error = "source main: http://127.0.0.1:1 could not be reached."
    with house.running() as running:
        until(lambda: running.metric('alerter_polls_failed_total{source="main"}'))
        answer = running.client.get("/readyz")
        assert answer.status_code == 503
        assert "first sweep is not done" in answer.json()["reasons"][0]
        house.source.error = ""
        until(lambda: running.client.get("/readyz").status_code == 200)


def test_why_a_source_fails_is_logged_once_by_each_process(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.source.error = "source main: http://127.0.0.1:1 could not be reached."
    for _ in range(2):
        caplog.clear()
        with house.running() as running:
            until(lambda: (running.metric('alerter_polls_failed_total{source="main"}') or 0) >= 3)
            assert "what is spent is unknown, not zero" in running.client.get("/").text
        why = [each.getMessage() for each in caplog.records if each.getMessage().startswith("poll failed source=")]
        assert why == [f"poll failed source=main error={house.source.error}"]


def test_a_job_that_fails_in_an_unknown_way_is_tried_again(house: House, caplog: pytest.LogCaptureFixture) -> None:
    good, house.source.runs = house.source.runs, [object()]  # type: ignore[list-item]
    with house.running() as running:
        until(lambda: running.metric('alerter_job_failures_total{job="poll"}'))
        assert "the poll failed and is tried again" in running.client.get("/").text
        house.source.runs = good
        until(lambda: "90 % used" in house.text())
        until(lambda: "the poll failed" not in running.client.get("/").text)
    assert "poll failed, trying again at its next tick" in caplog.text


def test_a_poll_that_hangs_cannot_hold_up_the_end(house: House) -> None:
    house.source.hang = threading.Event()
    with house.running(leave_s=1.0):
        until(lambda: house.source.polls)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    house.source.hang.set()


def test_it_ends_at_once_when_nothing_is_in_flight(house: House) -> None:
    with house.running() as running:
        until(running.alerts)
        began = time.monotonic()
    assert time.monotonic() - began < 3


def test_a_slack_that_cannot_be_reached_is_shown_and_holds_nothing_up(house: House) -> None:
    house.environ["SLACK_APP_TOKEN"] = "xapp-made-up"
    house.write("alerter.yaml", ALERTER.replace("mode: http", 'base_url: "http://127.0.0.1:9/api"'))
    with house.running() as running:
        until(lambda: "Slack&#39;s commands and buttons don&#39;t arrive" in running.client.get("/").text)
        assert running.metric("alerter_slack_socket_up") == 0
        until(lambda: "90 % used" in house.text())
        began = time.monotonic()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("token", ["", "xoxb-made-up"])
def test_that_slack_gets_nothing_is_said_at_the_start_and_on_the_page(
    house: House, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    house.environ["SLACK_BOT_TOKEN"] = token
    house.write("alerter.yaml", ALERTER.replace("{name: costs, console: {}}", "{name: costs, slack: {channel: C0A1}}"))
    with house.running() as running:
        page = running.client.get("/").text
    assert ("SLACK_BOT_TOKEN is not set: messages to Slack can&#39;t be sent" in page) is (not token)
    said = [each.getMessage() for each in caplog.records if "SLACK_BOT_TOKEN is not set" in each.getMessage()]
    assert len(said) == (0 if token else 1)
