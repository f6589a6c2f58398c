"""A few threads that work on Slack requests, so that Slack is answered within its 3 s whatever the database does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from alerter.slack_requests import response_url
from alerter.slack_requests.desk import Desk
from alerter.slack_requests.handle import handle_command, handle_interaction
from alerter.slack_requests.policy import Policy
from alerter.slack_requests.reply import Reply, say

log = logging.getLogger(__name__)

THREADS = 4
MOST_PENDING = 64
"""Requests that may wait; the next one is told to try again, so that a flood can't fill the memory."""

SLACK_API = "https://slack.com/api/"

BUSY = say("Too many requests just now. Please try again in a minute.")
WORKING = say("Working on it: the answer comes here in a moment.")

Work = Future[Reply | None]


class Answers:
    """Turns requests into replies, in threads.

    Attributes:
        desk: what does the work.
        policy: gives the allow-lists of the moment, so that a reload takes effect.
        base_url: the Slack API's address, another one for a test server.
    """

    def __init__(self, desk: Desk, policy: Callable[[], Policy], *, base_url: str = SLACK_API) -> None:
        self.desk = desk
        self.policy = policy
        self.base_url = base_url
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="slack-request")
        self._pending: set[Future[Reply | None]] = set()
        self._lock = threading.Lock()

    def command(self, form: Mapping[str, str]) -> Work:
        """Begin to answer a slash command, given its form fields."""
        return self._begin(lambda: handle_command(form, self.desk, self.policy()))

    def interaction(self, payload: Mapping[str, object]) -> Work:
        """Begin to answer a pressed button, given its payload; its result is None for what needs no answer."""
        return self._begin(lambda: handle_interaction(payload, self.desk, self.policy()))

    def later(self, work: Work, url: object) -> None:
        """Say the result through a response_url as soon as there is one."""
        if isinstance(url, str) and url:
            # In the pool's order the work has begun before this waits for it: they can't lock each other out.
            self._submit(lambda: self._post(work, url))

    def close(self, timeout: float = 5.0) -> None:
        """Finish what has begun, for at most ``timeout`` seconds."""
        with self._lock:
            pending = set(self._pending)
        wait(pending, timeout)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, job: Callable[[], Reply | None]) -> Work:
        if len(self._pending) >= MOST_PENDING:
            log.warning("slack request turned away pending=%d", len(self._pending))
            busy: Work = Future()
            busy.set_result(BUSY)
            return busy
        return self._submit(job)

    def _submit(self, job: Callable[[], Reply | None]) -> Work:
        with self._lock:
            work = self._pool.submit(job)
            self._pending.add(work)
        work.add_done_callback(self._forget)
        return work

    def _forget(self, work: Future[Reply | None]) -> None:
        with self._lock:
            self._pending.discard(work)

    def _post(self, work: Work, url: str) -> None:
        reply = work.result()
        if reply is not None:
            response_url.post(url, reply, self.base_url)
