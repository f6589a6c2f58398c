"""One kit a notifier for the contract suite: the real part it talks to, and how to make that fail."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from alerter.core.ports import Notifier, Target
from alerter.notifiers.apprise import AppriseNotifier
from alerter.notifiers.console import ConsoleNotifier
from alerter.notifiers.email import EmailNotifier
from alerter.notifiers.slack import SlackNotifier
from alerter.notifiers.webhook import WebhookNotifier
from tests.fixtures.http_receiver import HttpReceiver
from tests.fixtures.scripted_slack import FORWARD, ScriptedSlack, ScriptedStarter, Step
from tests.fixtures.slack_emulator import SlackServer
from tests.fixtures.smtp_server import SmtpServer

_numbers = count(1)


@dataclass
class Kit:
    """A notifier with its surroundings.

    Attributes:
        told: everything that has arrived, as text, oldest first.
        reject, delay, lose, deliver_and_lose: what makes the next send fail so; None where it can't.
        mend: ends the trouble.
        finds, edits: whether the service can be searched, and whether it can edit.
    """

    notifier: Notifier
    target: Target
    told: Callable[[], list[str]]
    reject: Callable[[], None]
    delay: Callable[[], None]
    mend: Callable[[], None]
    lose: Callable[[], None] | None = None
    deliver_and_lose: Callable[[], None] | None = None
    finds: bool = False
    edits: bool = False
    secrets: tuple[str, ...] = ()
    key: str = field(default_factory=lambda: f"notification-{next(_numbers)}")


def slack_kit(server: SlackServer, start: ScriptedStarter) -> Kit:
    front: ScriptedSlack = start(upstream=server.base_url, otherwise=FORWARD)
    notifier = SlackNotifier(server.token, base_url=front.base_url, timeout=2, pace=0.0, backoff=0.01)
    before = {each["ts"] for each in server.messages("ml-costs")}
    # An answer that repeats the request, token and all, as a careless proxy's would.
    spill = f"Bearer {server.token}"

    def told() -> list[str]:
        return [str(each) for each in server.messages("ml-costs") if each["ts"] not in before]

    return Kit(
        notifier,
        # By its bare name, which both take; the test of names is test_slack.py's.
        Target("ml-costs", {"channel": "ml-costs"}),
        told,
        reject=lambda: front.script(Step(200, {"ok": False, "error": "is_archived", "detail": spill})),
        delay=lambda: front.script(Step(429, spill, {"Retry-After": "3"})),
        lose=lambda: front.script(Step(500, spill)),
        deliver_and_lose=lambda: front.script(Step(forward=True, drop=True)),
        mend=front.steps.clear,
        # local-slack drops metadata, so that nothing can be recognised there.
        finds=not server.app_token,
        edits=True,
        secrets=(server.token,),
    )


def email_kit(server: SmtpServer) -> Kit:
    notifier = EmailNotifier(
        server.host,
        server.port,
        sender="Budgets <budgets@example.com>",
        username=server.username,
        password=server.password,
        timeout=5,
        tls=server.tls,
    )
    spill = f"{server.username} {server.password}"

    def fail(**changes: object) -> Callable[[], None]:
        def change() -> None:
            for name, value in changes.items():
                setattr(server, name, value)

        return change

    return Kit(
        notifier,
        Target("ml-costs", {"to": "costs@example.com, Lead <lead@example.com>"}),
        lambda: [each.message.as_string() for each in server.mails],
        reject=fail(on_data=f"554 5.7.1 refused for policy {spill}"),
        delay=fail(on_data=f"451 4.3.0 greylisted {spill}"),
        lose=None,
        deliver_and_lose=fail(drop_after_data=True),
        mend=fail(on_data="", drop_after_data=False),
        secrets=(server.password,),
    )


WEBHOOK_SECRET = "whsec_c2lnbmVkLXdpdGgtdGhpcy1hbmQtbm90LXNob3du"


def webhook_kit(server: HttpReceiver) -> Kit:
    secrets = {"FINANCE_URL": f"{server.url}/hooks/t0ken-of-the-address", "FINANCE_SECRET": WEBHOOK_SECRET}
    notifier = WebhookNotifier(secrets, timeout=2, tls=server.tls)

    def told() -> list[str]:
        """What a receiver that goes by the key has: of each message its latest state."""
        bodies = [json.loads(each.body) for each in server.requests]
        latest = {each["key"]: f"{each['title']} {each['text']} {each['alerts']}" for each in bodies}
        return list(latest.values())

    answers = _Answers(server, f"{WEBHOOK_SECRET} /hooks/t0ken-of-the-address")
    return Kit(
        notifier,
        Target("ml-costs", {"url_from": "FINANCE_URL", "secret": "FINANCE_SECRET"}),
        told,
        reject=lambda: answers.say(422),
        delay=lambda: answers.say(429, **{"Retry-After": "3"}),
        lose=lambda: answers.say(502),
        deliver_and_lose=answers.cut,
        mend=lambda: answers.say(204),
        edits=True,
        secrets=(WEBHOOK_SECRET, "t0ken-of-the-address"),
    )


def apprise_kit(server: HttpReceiver) -> Kit:
    url = f"json://127.0.0.1:{server.port}/hooks/t0ken-of-the-address"

    def told() -> list[str]:
        bodies = [json.loads(each.body) for each in server.requests]
        return [f"{each['title']} {each['message']}" for each in bodies]

    answers = _Answers(server, "/hooks/t0ken-of-the-address")
    return Kit(
        AppriseNotifier({"FINANCE_URL": url}),
        Target("ml-costs", {"url_from": "FINANCE_URL"}),
        told,
        reject=lambda: answers.say(403),
        delay=lambda: answers.say(429, **{"Retry-After": "3"}),
        lose=lambda: answers.say(502),
        deliver_and_lose=answers.cut,
        mend=lambda: answers.say(200),
        secrets=("t0ken-of-the-address",),
    )


@dataclass
class _Answers:
    """How a receiver answers; an error repeats what it was sent, as a careless one would."""

    server: HttpReceiver
    spill: str

    def say(self, status: int, **headers: str) -> None:
        self.server.status, self.server.headers, self.server.drop = status, headers, False
        self.server.body = self.spill if status != 204 else ""

    def cut(self) -> None:
        self.server.drop = True


class _Terminal(io.StringIO):
    """Standard output that can be stuck; what it holds outlives its closing."""

    stuck = False
    held = ""

    def write(self, text: str) -> int:
        if self.stuck:
            raise BlockingIOError
        self.held += text
        return super().write(text)


def console_kit() -> Kit:
    stream = _Terminal()

    def stick() -> None:
        stream.stuck = True

    def unstick() -> None:
        stream.stuck = False

    return Kit(
        ConsoleNotifier(stream),
        Target("console", {}),
        lambda: [stream.held] if stream.held else [],
        reject=stream.close,
        delay=stick,
        mend=unstick,
    )
