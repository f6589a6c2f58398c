"""The log's lines: one an event, and no secret in any of them."""

import io
import logging
from collections.abc import Iterator

import pytest

from alerter.cli.logs import set_up_logging

SECRETS = {
    "SLACK_BOT_TOKEN": "made-up-bot-token",
    "SMTP_PASSWORD": "pass word (1)",
    "MLFLOW_TRACKING_TOKEN": "an-mlflow-token",
    "ALERTER_WEB_TOKEN": "abc",
}


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, ours = logging.getLogger(), logging.getLogger("alerter")
    before = (root.handlers[:], root.level, ours.level)
    yield io.StringIO()
    root.handlers[:], _, _ = before
    root.setLevel(before[1])
    ours.setLevel(before[2])
    logging.captureWarnings(False)


def test_a_line_has_time_level_logger_and_what_was_said(stream: io.StringIO) -> None:
    set_up_logging(environ={}, stream=stream)
    logging.getLogger("alerter.cycle").warning("poll failed source=%s error=%s", "main", "two\nlines\x1b[31m")
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("time=20")
    assert line.endswith(r"Z level=warning logger=alerter.cycle poll failed source=main error=two\nlines\x1b[31m")


def test_an_exception_stays_in_its_line(stream: io.StringIO) -> None:
    set_up_logging(environ={}, stream=stream)
    try:
        dict[str, str]().pop("lost")
    except KeyError:
        logging.getLogger("alerter.x").exception("it failed")
    (line,) = stream.getvalue().splitlines()
    assert "it failed traceback='Traceback (most recent call last)" in line
    assert "KeyError" in line


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("token made-up-bot-token", "token (hidden)"),
        ("login pass word (1)!", "login (hidden)!"),
        ("an-mlflow-token", "(hidden)"),
        ("xoxb-1-2-abc and xapp-9-z", "(hidden) and (hidden)"),
        ("GET http://ann:secret@host/x", "GET http://(hidden)@host/x"),
        ("Authorization: Bearer abcdefgh.ij", "Authorization: Bearer (hidden)"),
        ("https://hooks.slack.com/services/T0/B0/xyz", "https://hooks.slack.com/(hidden)"),
        ("wss://x/link/?ticket=12-34&app_id=5", "wss://x/link/?ticket=(hidden)&app_id=5"),
        ("abc is too short to be looked for", "abc is too short to be looked for"),
    ],
)
def test_no_secret_is_logged(stream: io.StringIO, said: str, left: str) -> None:
    set_up_logging(environ=SECRETS, stream=stream)
    logging.getLogger("urllib3").warning("said: %s", said)
    assert stream.getvalue().rstrip("\n").endswith(f"logger=urllib3 said: {left}")


def test_other_packages_stay_at_warnings_however_much_is_asked_for(stream: io.StringIO) -> None:
    set_up_logging(verbose=True, environ={}, stream=stream)
    for name in ("alerter.x", "urllib3.connectionpool", "slack_sdk.web.base_client"):
        logging.getLogger(name).debug("details")
    assert [line.split("logger=")[1] for line in stream.getvalue().splitlines()] == ["alerter.x details"]
