"""What is particular to the webhook: what is signed and how, whom it trusts, what an answer means, how large it is."""

import base64
import hashlib
import hmac
import json
import time
from email.utils import format_datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from alerter.core.alerts import Message, MessageKind
from alerter.core.periods import utc
from alerter.core.ports import (
    DeliveryAmbiguousError,
    DeliveryDelayedError,
    DeliveryError,
    DeliveryRejectedError,
    Receipt,
    Target,
)
from alerter.notifiers.webhook import WebhookNotifier
from alerter.notifiers.webhook.http import address
from alerter.notifiers.webhook.payload import MOST_BYTES
from alerter.notifiers.webhook.schema import json_schema
from alerter.notifiers.webhook.signature import signature
from tests.digests.sample import MESSAGE as DIGEST
from tests.fixtures.http_receiver import HttpReceiver, Posted, ReceiverStarter
from tests.fixtures.slack_emulator import free_port
from tests.fixtures.tunnel import a_tunnel
from tests.notifiers.samples import HOSTILE, NOW, RESOLVED, acknowledged, alert, forecast, hostile, message, over

SECRET = "a-secret-of-both-sides"


def notifier(server: HttpReceiver, **changes: object) -> WebhookNotifier:
    given: dict[str, Any] = {"timeout": 2.0, "tls": server.tls, "clock": lambda: NOW / 1000}
    return WebhookNotifier({"WEBHOOK_SECRET": SECRET}, **(given | changes))


def target(server: HttpReceiver, path: str = "/budgets/", **changes: str) -> Target:
    return Target("finance", {"url": server.url + path, "secret": "WEBHOOK_SECRET"} | changes)


def send(server: HttpReceiver, told: Message | None = None, key: str = "k") -> Receipt:
    return notifier(server).send(target(server), told or message(), {}, key)


def posted(server: HttpReceiver) -> Posted:
    (found,) = server.requests
    return found


def valid(body: bytes) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(body)
    Draft202012Validator(json_schema()).validate(made)
    return made


def test_the_body_says_it_in_figures_and_in_words(http_receiver: HttpReceiver) -> None:
    send(http_receiver, message(alert(), over(), forecast()))
    made = valid(posted(http_receiver).body)
    assert posted(http_receiver).path == "/budgets/"
    assert (made["version"], made["event"], made["kind"], made["key"]) == (1, "told", "alert", "k")
    assert made["at"] == "2026-11-23T13:32:00Z"
    first = made["alerts"][0]
    assert (first["budget"], first["scope"]) == ("every-team", {"team": "vision"})
    assert (first["spent"], first["amount"], first["percent"]) == ("9740.00", "12000.00", "81.1")
    assert first["forecast"]["crossing"] == "2026-11-24T14:50:00Z"
    assert first["runs"][0]["cost_per_hour"] == "88.00"
    assert first["state"] == {"status": "firing", "by": "", "at": None, "until": "", "note": ""}
    assert [each["basis"] for each in made["alerts"]] == ["actual", "actual", "forecast"]
    assert "$9,740 of $12,000 (81.1 %)" in made["text"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_every_body_is_as_the_schema_says(http_receiver: HttpReceiver, text: str) -> None:
    send(http_receiver, message(hostile(text), over(forecast_nanos=None)))
    made = valid(posted(http_receiver).body)
    assert made["alerts"][0]["scope"]["team"] == text.replace("\ud800", "?")
    for shown in (made["title"], *made["text"].splitlines()):
        assert len(shown) < 1000
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def test_a_receiver_can_verify_it_and_know_a_second_copy(http_receiver: HttpReceiver) -> None:
    send(http_receiver)
    send(http_receiver)
    send(http_receiver, key="another 🔥\n key")
    first, second, third = http_receiver.requests
    headers = first.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + first.body
    mac = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    assert headers["webhook-timestamp"] == str(NOW // 1000)
    assert headers["Idempotency-Key"] == headers["webhook-id"] == second.headers["webhook-id"]
    assert third.headers["webhook-id"] != headers["webhook-id"]


def test_two_secrets_make_two_signatures_and_whsec_is_base64() -> None:
    # The example of the Standard Webhooks specification.
    known = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert known == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    one, two = signature("old new", "e", 1, b"b").split()
    assert (one, two) == (signature("old", "e", 1, b"b"), signature("new", "e", 1, b"b"))


def test_what_became_of_an_alert_is_posted_too(http_receiver: HttpReceiver) -> None:
    made = notifier(http_receiver)
    receipt = made.send(target(http_receiver), message(), {}, "k")
    for state in (acknowledged(), acknowledged(), RESOLVED):
        made.update(target(http_receiver), receipt, message(), {"A-7F3K": state}, "k")
    told, *updated = http_receiver.requests
    bodies = [valid(each.body) for each in updated]
    assert [each["event"] for each in bodies] == ["updated"] * 3
    assert [each["alerts"][0]["state"]["status"] for each in bodies] == ["acknowledged", "acknowledged", "resolved"]
    assert bodies[0]["alerts"][0]["state"]["by"] == "anna"
    assert {each["key"] for each in bodies} == {"k"}
    ids = [each.headers["webhook-id"] for each in (told, *updated)]
    assert ids[1] == ids[2]
    assert len(set(ids)) == 3


def test_what_is_too_large_counts_what_it_leaves_out(http_receiver: HttpReceiver) -> None:
    many = [hostile("A" * 4000) for _ in range(200)]
    send(http_receiver, message(*many))
    body = posted(http_receiver).body
    made = valid(body)
    assert MOST_BYTES // 4 < len(body) <= MOST_BYTES
    assert made["more_alerts"] == 200 - len(made["alerts"])


@pytest.mark.parametrize(
    ("status", "headers", "kind", "words"),
    [
        (301, {"Location": "https://elsewhere.example/t0ken"}, DeliveryRejectedError, "301, a redirect"),
        (307, {"Location": "/other"}, DeliveryRejectedError, "give the address that it leads to"),
        (401, {}, DeliveryRejectedError, "check that the receiver knows the same secret"),
        (404, {}, DeliveryRejectedError, "check the address"),
        (422, {}, DeliveryRejectedError, "look into the log of the receiver"),
        (409, {}, DeliveryDelayedError, "answered 409"),
        (503, {"Retry-After": "7"}, DeliveryDelayedError, "answered 503"),
        (500, {}, DeliveryAmbiguousError, "it may have been taken"),
        (504, {}, DeliveryAmbiguousError, "it may have been taken"),
    ],
)
def test_what_an_answer_means(
    http_receiver: HttpReceiver, status: int, headers: dict[str, str], kind: type[DeliveryError], words: str
) -> None:
    http_receiver.status, http_receiver.headers = status, headers
    with pytest.raises(kind, match=words) as caught:
        send(http_receiver)
    assert "t0ken" not in str(caught.value)
    assert "elsewhere" not in str(caught.value)
    if isinstance(caught.value, DeliveryDelayedError):
        assert caught.value.retry_after == (7.0 if headers else None)


def test_a_date_to_come_back_at_is_counted_from_now(http_receiver: HttpReceiver) -> None:
    http_receiver.status, http_receiver.headers = 429, {"Retry-After": format_datetime(utc(NOW + 90_000), usegmt=True)}
    with pytest.raises(DeliveryDelayedError) as caught:
        send(http_receiver)
    assert caught.value.retry_after == 90.0
    http_receiver.headers = {"Retry-After": "soon"}
    with pytest.raises(DeliveryDelayedError) as caught:
        send(http_receiver)
    assert caught.value.retry_after is None


def test_a_certificate_that_is_not_trusted_gets_nothing(http_receiver: HttpReceiver) -> None:
    with pytest.raises(DeliveryDelayedError, match=r"no trusted TLS with 127.0.0.1 .* nothing was sent; check"):
        notifier(http_receiver, tls=None).send(target(http_receiver), message(), {}, "k")
    assert http_receiver.requests == []


def test_who_is_not_there_or_drips_is_given_up_in_time(http_receiver: HttpReceiver) -> None:
    nobody = Target("finance", {"url": f"https://127.0.0.1:{free_port()}/t0ken", "secret": "WEBHOOK_SECRET"})
    with pytest.raises(DeliveryDelayedError, match=r"127.0.0.1 can't be reached \(ConnectionRefusedError\); check"):
        notifier(http_receiver).send(nobody, message(), {}, "k")
    http_receiver.drip = True
    began = time.monotonic()
    with pytest.raises(DeliveryAmbiguousError, match=r"no answer from 127\.0\.0\.1"):
        notifier(http_receiver, timeout=0.4).send(target(http_receiver), message(), {}, "k")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "https://127.0.0.1/", "secret": "OTHER"}, "OTHER is not set; set it in the environment"),
        ({"url_from": "HOOK", "secret": "WEBHOOK_SECRET"}, "HOOK is not set; .* the file hook in"),
        ({"url_from": "BROKEN", "secret": "WEBHOOK_SECRET"}, "the address in BROKEN is not a web address"),
        ({"url_from": "LOGIN", "secret": "WEBHOOK_SECRET"}, "the address in LOGIN holds a login"),
        ({"url_from": "PORT", "secret": "WEBHOOK_SECRET"}, "the address in PORT is not a valid address"),
        ({"url": "https://127.0.0.1/", "secret": "BASE64"}, "BASE64: a secret that begins with whsec_ must"),
    ],
)
def test_what_is_missing_or_wrong_is_named_and_not_shown(settings: dict[str, str], words: str) -> None:
    secrets = {
        "WEBHOOK_SECRET": SECRET,
        "BROKEN": "hooks.example.com/t0ken",
        "LOGIN": "https://me:t0ken@hooks.example.com/",
        "PORT": "https://hooks.example.com:t0ken/",
        "BASE64": "whsec_t0ken!",
    }
    made, where = WebhookNotifier(secrets), Target("finance", settings)
    with pytest.raises(DeliveryRejectedError, match=words) as caught:
        made.send(where, message(), {}, "k")
    (finding,) = made.check([where])
    assert finding.level == "error"
    for shown in (str(caught.value), repr(caught.value), str(finding)):
        assert "t0ken" not in shown
        assert SECRET not in shown


def test_the_check_connects_and_posts_nothing(
    http_receiver: HttpReceiver, start_http_receiver: ReceiverStarter
) -> None:
    (finding,) = notifier(http_receiver).check([target(http_receiver)])
    assert (finding.level, finding.text) == ("ok", "signed JSON goes to 127.0.0.1")
    assert http_receiver.requests == []
    (finding,) = notifier(http_receiver, tls=None).check([target(http_receiver)])
    assert (finding.level, "no trusted TLS" in finding.text) == ("error", True)
    plain = start_http_receiver(tls=False)
    (finding,) = notifier(plain).check([target(plain)])
    assert finding.level == "ok"  # to this machine


def test_a_path_is_sent_as_it_is_written_and_kept_out_of_sight() -> None:
    made = address("https://hooks.example.com:8443/a b/ü?x=1&y=%20")
    assert (made.host, made.port, made.path) == ("hooks.example.com", 8443, "/a%20b/%C3%BC?x=1&y=%20")
    assert "ü" not in repr(made)


def test_a_proxy_of_the_environment_is_used(http_receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with a_tunnel(http_receiver.port, monkeypatch) as asked:
        send(http_receiver)
    assert len(http_receiver.requests) == 1
    assert asked[0].startswith(f"CONNECT 127.0.0.1:{http_receiver.port} HTTP/1.")
    assert "Proxy-Authorization: Basic bWU6cGFzcw==" in asked[0]


def test_a_digest_is_as_the_schema_says(http_receiver: HttpReceiver) -> None:
    send(http_receiver, DIGEST)
    made = valid(posted(http_receiver).body)
    assert (made["kind"], made["alerts"]) == ("digest", [])
    assert made["digest"]["budgets"][0]["expected"] == "7100.00"
    assert [each["name"] for each in made["digest"]["suspected_stale_runs"]] == ["notebook-test"]


def test_a_notice_is_as_the_schema_says(http_receiver: HttpReceiver) -> None:
    send(http_receiver, Message(MessageKind.OPERATOR, title="main can't be read", text="one\ntwo"))
    made = valid(posted(http_receiver).body)
    assert (made["title"], made["text"], made["alerts"]) == ("main can't be read", "one\ntwo", [])
    assert made["at"] == "2026-11-23T13:32:00Z"
