"""Socket Mode: commands and buttons over a WebSocket that the daemon opens: nothing must reach it from outside."""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from alerter.slack_requests.answers import SLACK_API, Answers

if TYPE_CHECKING:
    from slack_sdk.socket_mode.client import BaseSocketModeClient
    from slack_sdk.socket_mode.request import SocketModeRequest
    from slack_sdk.socket_mode.websocket_client import SocketModeClient

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 15.0
TICK_S = 0.25
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 15.0
"""After an outage people wait at most so long, and a bit, for their buttons."""

REFUSED_WAIT_S = 60.0
"""After a refusal that only a person can mend."""

STEADY_S = 30.0
"""A connection that held so long was a good one: the next back-off begins anew."""

REMEDIES = {
    "invalid_auth": "SLACK_APP_TOKEN is wrong: copy the app-level token (xapp-...) from Basic Information",
    "not_authed": "SLACK_APP_TOKEN is missing",
    "not_allowed_token_type": "SLACK_APP_TOKEN must be an app-level token (xapp-...), not a bot token",
    "missing_scope": "the app-level token needs the scope connections:write",
    "token_revoked": "the app-level token was revoked: make a new one",
    "account_inactive": "the app was uninstalled: install it again",
}


class SocketModeDoor:
    """Keeps one Socket Mode connection open and hands its requests to `Answers`.

    A connection that ends, that never opens or that falls silent is replaced, after a growing wait. slack_sdk's own
    reconnecting is off: it sleeps where it can't be stopped, and a half-open connection looks alive to it.

    Attributes:
        ping_s: seconds between pings.
        patience_s: so long without an answer to them, or without opening, and the connection counts as dead.
    """

    def __init__(self, app_token: str, answers: Answers, *, base_url: str = SLACK_API, ping_s: float = 5.0) -> None:
        self._app_token = app_token
        self._answers = answers
        self._base_url = base_url
        self.ping_s = ping_s
        self.patience_s = max(ping_s * 4, CONNECT_TIMEOUT_S)
        self._stop = threading.Event()
        self._open = threading.Event()
        self._ended = threading.Event()
        self._problem = "not started"
        self._thread = threading.Thread(target=self._run, name="slack-socket", daemon=True)

    def start(self) -> None:
        """Begin to connect, in a thread of its own; returns at once."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Close the connection; waits at most ``timeout`` seconds."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def healthy(self) -> bool:
        """Whether requests can come in now."""
        return self._open.is_set()

    def problem(self) -> str:
        """Return why requests can't come in, with the remedy where it is known; ``""`` while they can."""
        return "" if self.healthy() else self._problem

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stop.is_set():
            began = time.monotonic()
            asked_s = self._connection()
            self._open.clear()
            if time.monotonic() - began > STEADY_S:
                wait_s = FIRST_WAIT_S
            pause = max(asked_s, wait_s * random.uniform(0.75, 1.25))  # noqa: S311 - to spread daemons, no secret
            if not self._stop.is_set():
                log.warning("slack socket closed reason=%r next_try_s=%.1f", self._problem, pause)
            self._stop.wait(pause)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    def _connection(self) -> float:
        """Hold one connection until it ends; return how many seconds Slack asks to wait before the next (0: none)."""
        from slack_sdk.errors import SlackApiError, SlackClientError  # noqa: PLC0415 - slow to import
        from websocket import WebSocketException  # noqa: PLC0415

        client = None
        self._ended.clear()
        try:
            client = self._client()
            client.connect()
            self._hold(client)
        except SlackApiError as error:
            self._problem, asked = _told(error)
            return asked
        except (SlackClientError, WebSocketException, OSError) as error:
            self._problem = f"Slack can't be reached: {type(error).__name__}"
        except Exception:  # the job boundary: the door must come back from whatever the client does
            log.exception("slack socket failed")
            self._problem = "an error that is in the log"
        finally:
            if client is not None:
                _close(client)
        return 0.0

    def _hold(self, client: SocketModeClient) -> None:
        """Return when the connection has ended, has not opened in time, or has gone silent."""
        alive_at, last_pong = time.monotonic(), 0.0
        while not self._stop.wait(TICK_S):
            session = client.current_session
            if session is not None and session.last_pong_tm != last_pong:
                alive_at, last_pong = time.monotonic(), session.last_pong_tm
            if time.monotonic() - alive_at > self.patience_s:
                self._problem = f"no sign of life from Slack for {self.patience_s:.0f} s"
                return
            # Until on_open, `is_connected` is true of a socket that is still connecting.
            if self._ended.is_set() or (self._open.is_set() and not client.is_connected()):
                self._problem = "Slack closed the connection" if self._open.is_set() else "the connection did not open"
                return

    def _client(self) -> SocketModeClient:
        from slack_sdk import WebClient  # noqa: PLC0415 - slow to import

        # Both log whole handshakes and tracebacks of every lost connection; this module says it in a line.
        logging.getLogger("websocket").setLevel(logging.CRITICAL)
        sdk_log = logging.getLogger(f"{__name__}.sdk")
        sdk_log.setLevel(logging.CRITICAL)
        client = _client_class()(
            app_token=self._app_token,
            logger=sdk_log,
            web_client=WebClient(base_url=self._base_url, timeout=10, retry_handlers=[], logger=sdk_log),
            auto_reconnect_enabled=False,
            ping_interval=self.ping_s,
            concurrency=2,
            on_open_listeners=[lambda _session: self._opened()],
        )
        client.on_close_listeners.append(lambda session: self._closed(client, session))
        client.socket_mode_request_listeners.append(self._on_request)
        return client

    def _opened(self) -> None:
        log.info("slack socket open")
        self._open.set()

    def _closed(self, client: SocketModeClient, session: object) -> None:
        # Slack renews connections now and then: the client then closes the old one when it has a new one.
        if session is client.current_session:
            self._ended.set()

    def _on_request(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        from slack_sdk.socket_mode.response import SocketModeResponse  # noqa: PLC0415

        # Acknowledged before anything else: Slack gives 3 s. If this fails nothing is done, and the person tries again.
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        payload = request.payload
        if request.type == "slash_commands":
            form = {key: value for key, value in payload.items() if isinstance(value, str)}
            self._answers.later(self._answers.command(form), payload.get("response_url"))
        elif request.type == "interactive":
            self._answers.later(self._answers.interaction(payload), payload.get("response_url"))


def _client_class() -> type[SocketModeClient]:
    from slack_sdk.errors import SlackClientError  # noqa: PLC0415 - slow to import
    from slack_sdk.socket_mode.websocket_client import SocketModeClient  # noqa: PLC0415

    class Client(SocketModeClient):
        def issue_new_wss_url(self) -> str:
            """Ask once. The SDK's own sleeps through a Retry-After, deaf to a stop."""
            url = self.web_client.apps_connections_open(app_token=self.app_token).get("url")
            if not isinstance(url, str):
                raise SlackClientError("an answer without an address")
            return url

    return Client


def _told(error: Exception) -> tuple[str, float]:
    """Return why Slack refused a connection, and how long it asks to wait, in seconds."""
    response = getattr(error, "response", {})
    reason = str(response.get("error") or "an unreadable answer")
    if reason == "ratelimited":
        asked = str(getattr(response, "headers", {}).get("Retry-After", "30"))
        return "Slack asks for patience (ratelimited)", float(asked) if asked.isdecimal() else 30.0
    remedy = REMEDIES.get(reason)
    return (f"Slack says {reason}: {remedy}", REFUSED_WAIT_S) if remedy else (f"Slack says {reason}", 0.0)


def _close(client: SocketModeClient) -> None:
    """Close a client for a few seconds at most: its threads are daemons, and one may hang in a connect."""

    def close() -> None:
        # Closing a socket doesn't wake the thread that reads it, and `close` then waits 10 s for that. So the reader is
        # told not to begin again, woken by a shutdown, and given the time to leave.
        runner, session = client.current_session_runner, client.current_session
        runner.event.set()
        if session is not None and session.sock is not None and session.sock.sock is not None:
            with suppress(OSError, ValueError):
                session.sock.sock.shutdown(socket.SHUT_RDWR)
        runner.thread.join(2.0)
        client.closed = True
        client.message_queue.put(None)  # wakes the other reader, of the queue, which looks up once a second
        client.close()

    closing = threading.Thread(target=close, name="slack-socket-close", daemon=True)
    closing.start()
    closing.join(5.0)
