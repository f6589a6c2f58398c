"""An HTTP server that answers from a script, for what a real MLflow does only on a bad day."""

from __future__ import annotations

import json
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

EXPERIMENT = {"experiment_id": "1", "name": "one", "lifecycle_stage": "active"}


@dataclass(frozen=True)
class Answer:
    """What to answer: a JSON value, or bytes as they are; after the event ``wait``, and only half with ``cut``."""

    body: Any = None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    wait: threading.Event | None = None
    cut: bool = False


Script = Answer | Callable[[dict[str, Any]], Answer]


class ScriptedServer:
    """Answers each path by the answers given for it, in order; the last one stays. A callable gets what was asked."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._scripts: dict[str, list[Script]] = {}
        self.requests: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.uri = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.on("/version", Answer(b"3.17.2"))
        self.on("experiments/search", Answer({"experiments": [EXPERIMENT]}))
        self.on("runs/search", Answer({}))

    def on(self, path: str, *answers: Script) -> None:
        """Answer ``path`` (its end is enough) by these, from now on."""
        self._scripts[path] = list(answers)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: dict[str, Any]) -> Answer:
        """Return the answer that is next for a path."""
        for ending, answers in self._scripts.items():
            if path.endswith(ending):
                self.requests[ending].append(body)
                script = answers.pop(0) if len(answers) > 1 else answers[0]
                return script if isinstance(script, Answer) else script(body)
        return Answer(b"<!doctype html><title>404 Not Found</title>", 404)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = server.answer(self.path.split("?", maxsplit=1)[0], json.loads(content) if content else {})
                if answer.wait:
                    answer.wait.wait(timeout=30)
                data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                try:
                    self.send_response(answer.status)
                    for name, value in (*answer.headers, ("Content-Length", str(len(data)))):
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data[: len(data) // 2] if answer.cut else data)
                    self.close_connection = answer.cut
                except OSError:  # the client has given up
                    self.close_connection = True

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_arguments: object) -> None:
                """Keep the test's output clean."""

        return Handler


def run_row(number: int, *, start_ms: int, **info: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a finished run as MLflow writes it."""
    row = {"run_id": f"{number:032x}", "experiment_id": "1", "status": "FINISHED", "start_time": start_ms}
    return {"info": row | {"end_time": start_ms + 1000, "lifecycle_stage": "active", "user_id": "ann"} | info}
