import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from alerter.web.app import create_app
from alerter.web.server import WebServer, WebServerError
from tests.fixtures.window_data import services

Send = Callable[[dict[str, Any]], Awaitable[None]]


def test_port_0_takes_a_free_one_and_signals_stay_as_they_were() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    server = WebServer(create_app(services()), "127.0.0.1", 0)
    server.start()
    try:
        assert server.port > 0
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert httpx2.get(f"{server.url}/healthz").status_code == 200
        assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
        assert server.alive()
    finally:
        server.stop()
    assert not server.alive()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{server.url}/healthz")


def test_a_taken_address_is_an_error_that_names_it_and_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(WebServerError, match=rf"can't listen on 127\.0\.0\.1:{port}: .*web\.listen"):
            WebServer(create_app(services()), "127.0.0.1", port).start()


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(WebServerError, match=r"can't listen on 192\.0\.2\.1:0"):
        WebServer(create_app(services()), "192.0.2.1", 0).start()


def test_stopping_what_was_never_started_is_fine() -> None:
    WebServer(create_app(services()), "127.0.0.1", 0).stop()


def test_a_request_in_flight_is_finished_before_the_server_stops() -> None:
    begun, release = threading.Event(), threading.Event()

    def slow() -> list[str]:
        begun.set()
        assert release.wait(10)
        return []

    from dataclasses import replace  # noqa: PLC0415

    server = WebServer(create_app(replace(services(), readiness=slow)), "127.0.0.1", 0)
    server.start()
    answers: list[int] = []
    client = threading.Thread(target=lambda: answers.append(httpx2.get(f"{server.url}/readyz", timeout=10).status_code))
    client.start()
    assert begun.wait(5)
    threading.Timer(0.2, release.set).start()
    server.stop()
    client.join()
    assert answers == [200]


def test_a_request_that_hangs_cannot_hold_up_the_stop() -> None:
    release = threading.Event()
    begun = threading.Event()

    async def hanging(_scope: dict[str, Any], _receive: object, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        begun.set()
        while not release.is_set():
            await send({"type": "http.response.body", "body": b".", "more_body": True})
            time.sleep(0.01)  # noqa: ASYNC251 - it hangs the whole loop, on purpose

    async def app(scope: dict[str, Any], receive: object, send: Send) -> None:
        if scope["type"] == "http":
            await hanging(scope, receive, send)

    server = WebServer(app, "127.0.0.1", 0)
    server.start()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert begun.wait(5)
        started = time.monotonic()
        server.stop(timeout=0.5)
        assert time.monotonic() - started < 3
        release.set()
    server.stop()
    assert not server.alive()
