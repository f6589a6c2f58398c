"""What is particular to mail: TLS and login or nothing, whom the server refuses, how copies and threads are known."""

import socket
import ssl
import threading
import time
from contextlib import suppress

import pytest

from alerter.core.ports import DeliveryAmbiguousError, DeliveryDelayedError, DeliveryRejectedError, Target
from alerter.notifiers.email import EmailNotifier
from tests.fixtures.slack_emulator import free_port
from tests.fixtures.smtp_server import Received, SmtpServer, SmtpStarter
from tests.notifiers.samples import NOW, message

TARGET = Target("ml-costs", {"to": "costs@example.com, lead@example.com"})


def notifier(server: SmtpServer, **options: object) -> EmailNotifier:
    given: dict[str, object] = {
        "sender": "Budgets <budgets@example.com>",
        "username": server.username,
        "password": server.password,
        "timeout": 3.0,
        "tls": server.tls,
    }
    return EmailNotifier(server.host, server.port, **(given | options))  # type: ignore[arg-type]


def sent(server: SmtpServer) -> Received:
    (mail,) = server.mails
    return mail


def body(mail: Received, kind: str) -> str:
    part = mail.message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_a_mail_is_text_and_html_and_says_what_it_is(smtp_server: SmtpServer) -> None:
    receipt = notifier(smtp_server).send(TARGET, message(), {}, "k")
    mail = sent(smtp_server)
    assert mail.recipients == ["costs@example.com", "lead@example.com"]
    assert mail.message["Subject"] == "🟠 vision · November budget 81 % used (estimate)"
    assert mail.message["Message-ID"] == receipt.reference["message_id"]
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["List-Id"] == "Budget alerts <budget-alerts.example.com>"
    assert mail.message["Date"].datetime.timestamp() * 1000 == NOW
    for part in ("plain", "html"):
        text = body(mail, part)
        assert "$9,740 of $12,000 (81.1 %)" in text
        assert "https://mlflow.example.com/#/experiments/7/runs/" in text
    assert "and 27 more runs" in body(mail, "plain")


def test_a_wrong_password_is_refused_with_the_remedy(smtp_server: SmtpServer) -> None:
    with pytest.raises(DeliveryRejectedError, match=r"refused the login .535.; check SMTP_USERNAME and SMTP_PASSWORD"):
        notifier(smtp_server, password="wrong").send(TARGET, message(), {}, "k")


def test_a_login_that_cannot_be_checked_now_is_no_refusal(smtp_server: SmtpServer) -> None:
    smtp_server.on_login = f"454 4.7.0 Temporary failure for {smtp_server.password}"
    with pytest.raises(DeliveryDelayedError, match="454") as caught:
        notifier(smtp_server).send(TARGET, message(), {}, "k")
    assert smtp_server.password not in str(caught.value)


def test_without_login_the_server_says_what_it_wants(smtp_server: SmtpServer) -> None:
    with pytest.raises(DeliveryRejectedError, match="530"):
        notifier(smtp_server, username="", password="").send(TARGET, message(), {}, "k")


def test_a_certificate_that_is_not_trusted_ends_it_before_the_login(smtp_server: SmtpServer) -> None:
    with pytest.raises(DeliveryDelayedError, match=r"no trusted TLS .* nothing was sent; check email.host"):
        notifier(smtp_server, tls=ssl.create_default_context()).send(TARGET, message(), {}, "k")
    assert smtp_server.mails == []


def test_a_server_without_starttls_gets_nothing(start_smtp_server: SmtpStarter) -> None:
    server = start_smtp_server(tls="none", auth=False)
    with pytest.raises(DeliveryRejectedError, match="offers no STARTTLS, nothing was sent; "):
        notifier(server).send(TARGET, message(), {}, "k")
    assert server.mails == []


def test_tls_from_the_first_byte_works_too(start_smtp_server: SmtpStarter) -> None:
    server = start_smtp_server(tls="implicit", auth=False)
    notifier(server, implicit_tls=True).send(TARGET, message(), {}, "k")
    assert sent(server).recipients == ["costs@example.com", "lead@example.com"]


def test_a_plain_relay_is_for_those_who_ask_for_it(start_smtp_server: SmtpStarter) -> None:
    server = start_smtp_server(tls="none", auth=False)
    notifier(server, starttls=False, username="", password="").send(TARGET, message(), {}, "k")
    assert len(server.mails) == 1


def test_a_server_without_login_is_told_apart(start_smtp_server: SmtpStarter) -> None:
    server = start_smtp_server(tls="none", auth=False)
    with pytest.raises(DeliveryRejectedError, match="; unset SMTP_USERNAME"):
        notifier(server, starttls=False).send(TARGET, message(), {}, "k")


def test_a_password_never_leaves_unencrypted(smtp_server: SmtpServer) -> None:
    smtp_server.host = "mail.example.com"  # refused before anybody looks for it
    with pytest.raises(DeliveryRejectedError, match=r"password unencrypted; set email.starttls: true"):
        notifier(smtp_server, starttls=False).send(TARGET, message(), {}, "k")


def test_a_refused_recipient_is_named_and_the_others_get_it(
    smtp_server: SmtpServer, caplog: pytest.LogCaptureFixture
) -> None:
    smtp_server.refuse = {"lead@example.com": "550 5.1.1 no such user"}
    notifier(smtp_server).send(TARGET, message(), {}, "k")
    assert sent(smtp_server).recipients == ["costs@example.com"]
    (warning,) = [each.getMessage() for each in caplog.records if each.name.startswith("alerter")]
    assert "lead@example.com (550 5.1.1 no such user)" in warning


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (("550 no such user", "550 no such user"), DeliveryRejectedError),
        (("450 mailbox busy", "550 no such user"), DeliveryDelayedError),
    ],
)
def test_refused_by_all_is_final_unless_one_says_later(
    smtp_server: SmtpServer, answers: tuple[str, str], kind: type[Exception]
) -> None:
    smtp_server.refuse = dict(zip(("costs@example.com", "lead@example.com"), answers, strict=True))
    with pytest.raises(kind, match=r"costs@example.com .* lead@example.com"):
        notifier(smtp_server).send(TARGET, message(), {}, "k")
    assert smtp_server.mails == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("550 5.7.1 not your domain", DeliveryRejectedError), ("451 try again", DeliveryDelayedError)],
)
def test_a_refused_sender(smtp_server: SmtpServer, answer: str, kind: type[Exception]) -> None:
    smtp_server.on_mail = answer
    with pytest.raises(kind, match=answer):
        notifier(smtp_server).send(TARGET, message(), {}, "k")


def test_a_connection_cut_before_the_message_has_delivered_nothing(smtp_server: SmtpServer) -> None:
    smtp_server.drop_at_rcpt = True
    with pytest.raises(DeliveryDelayedError):
        notifier(smtp_server).send(TARGET, message(), {}, "k")


def test_a_connection_cut_after_the_message_is_ambiguous(smtp_server: SmtpServer) -> None:
    smtp_server.drop_after_data = True
    with pytest.raises(DeliveryAmbiguousError, match="it may have been delivered"):
        notifier(smtp_server).send(TARGET, message(), {}, "k")
    assert len(smtp_server.mails) == 1


def test_a_server_that_is_not_there_or_says_nothing(smtp_server: SmtpServer) -> None:
    with pytest.raises(DeliveryDelayedError, match=r"ConnectionRefusedError.; check email.host"):
        EmailNotifier("127.0.0.1", free_port(), sender="a@example.com").send(TARGET, message(), {}, "k")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        waiting = EmailNotifier("127.0.0.1", silent.getsockname()[1], sender="a@example.com", timeout=0.2)
        with pytest.raises(DeliveryDelayedError):
            waiting.send(TARGET, message(), {}, "k")


def drip(server: socket.socket) -> None:
    """Answer a byte now and then: no single wait is long."""
    connection, _ = server.accept()
    with connection, suppress(OSError):
        while True:
            connection.sendall(b"2")
            time.sleep(0.05)


def test_a_server_that_drips_its_answer_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        began = time.monotonic()
        with pytest.raises(DeliveryDelayedError):
            EmailNotifier("127.0.0.1", server.getsockname()[1], sender="a@example.com", timeout=0.4).send(
                TARGET, message(), {}, "k"
            )
        assert time.monotonic() - began < 5
        thread.join(5)


@pytest.mark.parametrize("to", ["", "nobody", "a@example.com, b", "a@exa mple.com", "@example.com"])
def test_what_is_no_address_is_refused_by_name(smtp_server: SmtpServer, to: str) -> None:
    with pytest.raises(DeliveryRejectedError, match=r"receiver r: .*; correct email.to"):
        notifier(smtp_server).send(Target("r", {"to": to}), message(), {}, "k")
    assert notifier(smtp_server).check([Target("r", {"to": to})])[-1].level == "error"


def test_a_line_break_in_a_header_of_the_configuration_is_refused(smtp_server: SmtpServer) -> None:
    with pytest.raises(DeliveryRejectedError, match=r"correct email.to or email.from"):
        notifier(smtp_server, sender="a@example.com\r\nBcc: b@example.com").send(TARGET, message(), {}, "k")


def test_the_check_logs_in_and_sends_nothing(smtp_server: SmtpServer) -> None:
    server, receiver = notifier(smtp_server).check([TARGET])
    assert (server.level, server.text) == ("ok", f"logged in over TLS: 127.0.0.1:{smtp_server.port}")
    assert (receiver.level, receiver.subject) == ("ok", "receiver ml-costs")
    assert smtp_server.mails == []
    (refused, _) = notifier(smtp_server, password="wrong").check([TARGET])
    assert (refused.level, refused.remedy) == ("error", "check SMTP_USERNAME and SMTP_PASSWORD")
