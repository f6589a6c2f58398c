"""A daemon that can't begin ends with an error; its operators hear of it all the same."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event

from alerter.bootstrap import make_notifiers
from alerter.config import Config
from alerter.daemon.alarm import Alarm
from alerter.daemon.outage import Memory
from alerter.store.engine import Store, StoreError
from alerter.store.lock import HeldError

log = logging.getLogger(__name__)


def _real_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def told_where_it_fails(
    config: Config, environ: Mapping[str, str] = os.environ, clock: Callable[[], int] = _real_ms
) -> Iterator[None]:
    """Tell the operators where the database can't be used for `poll.source_down_after`, over however many starts.

    Where another daemon holds the database nothing is amiss.

    Raises:
        StoreError: whatever the block raises.
    """
    try:
        yield
    except HeldError:
        raise
    except StoreError as error:
        try:
            _tell(config, environ, clock, str(error))
        except Exception:  # what is raised on the way to tell of a failure must not hide it
            log.exception("the operators could not be told that the daemon can't begin")
        raise


def _tell(config: Config, environ: Mapping[str, str], clock: Callable[[], int], reason: str) -> None:
    store = Store(config.database)
    try:
        alarm = Alarm(Memory(store.url, environ), clock, store.session)
    finally:
        store.close()
    alarm.failed(f"it can't begin: {reason}", config, make_notifiers(config, Event()), ends=True)
