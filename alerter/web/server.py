"""uvicorn in a thread: it installs no signal handlers, and starting and stopping take a bounded time."""

from __future__ import annotations

import logging
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import uvicorn

log = logging.getLogger(__name__)

START_S = 10.0
GRACE_S = 5
"""Seconds that requests in flight get when the server stops."""


class WebServerError(Exception):
    """The page can't be served; the message names the address and the remedy."""


class WebServer:
    """Serves an ASGI application on one address.

    Attributes:
        host, port: where it listens; with port 0 the actual one is there after `start`.
    """

    def __init__(self, app: Any, host: str, port: int) -> None:  # noqa: ANN401 - uvicorn takes any ASGI callable
        self._app = app
        self.host = host
        self.port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """The address to open on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - translated, not bound
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def start(self) -> None:
        """Listen, and return when requests are answered.

        Raises:
            WebServerError: the address is taken or not this machine's, or the server did not come up.
        """
        import uvicorn  # noqa: PLC0415 - slow to import

        self._socket = _listen(self.host, self.port)
        self.port = self._socket.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            log_config=None,
            log_level="warning",
            access_log=False,
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            limit_concurrency=200,
        )
        self._server = uvicorn.Server(config)
        # Outside the main thread uvicorn leaves signals alone.
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="web", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self.stop(1)
                raise WebServerError(f"the page at {self.url} did not start: the log tells why")
            time.sleep(0.01)
        log.info("page served url=%s", self.url)

    def alive(self) -> bool:
        """Whether the server still runs."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, timeout: float = GRACE_S + 2.0) -> None:
        """Stop listening, finish what is in flight, and return after at most about ``timeout`` seconds."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout)
            if self._thread.is_alive():
                self._server.force_exit = True
                self._thread.join(1)
        if self._socket is not None and not self.alive():  # a loop that hangs still needs it
            self._socket.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise WebServerError(
            f"can't listen on {host}:{port}: {error.strerror or error}; "
            "set web.listen in alerter.yaml to a free address of this machine"
        ) from None
    return listening
