"""A process that takes messages as Slack would, at once, and says when: ``python -m tests.bench.slack_stand_in``.

It prints its port. ``GET /times`` gives, by channel, the epoch seconds at which each message was accepted; ``/count``
how many channels have one. As Slack's servers it keeps connections open.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict

_TIMES: dict[str, list[float]] = defaultdict(list)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await _answered(reader, writer):
            pass
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer a request; False if its client wants no more."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    body = await reader.readexactly(int(lines.get("content-length", "0")))
    answer = json.dumps(_answer(head.split()[1], body)).encode()
    fields = f"Content-Type: application/json\r\nContent-Length: {len(answer)}"
    writer.write(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode() + answer)
    await writer.drain()
    return lines.get("connection") != "close"


def _answer(path: str, body: bytes) -> object:
    if path in {"/times", "/count"}:
        return _TIMES if path == "/times" else len(_TIMES)
    if not path.endswith("chat.postMessage"):
        return {"ok": True, "channels": [], "messages": [], "user_id": "U1", "team_id": "T1"}
    now, channel = time.time(), str(json.loads(body)["channel"])
    _TIMES[channel].append(now)
    return {"ok": True, "channel": channel, "ts": f"{now:.6f}"}


async def _main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
