from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx2
import pytest

from alerter.web.app import create_app
from alerter.web.server import WebServer
from alerter.web.services import WebServices

Serve = Callable[[WebServices], httpx2.Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve windows over real HTTP on a free port; returns a client of them."""
    with ExitStack() as stack:

        def start(services: WebServices) -> httpx2.Client:
            server = WebServer(create_app(services), "127.0.0.1", 0)
            server.start()
            stack.callback(server.stop)
            return stack.enter_context(httpx2.Client(base_url=server.url, timeout=10, verify=False))

        yield start
