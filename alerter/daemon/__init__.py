"""Start, stop, reload: everything that runs beside each other; the only package that knows APScheduler."""

from alerter.daemon.beginning import told_where_it_fails
from alerter.daemon.daemon import Daemon

__all__ = ["Daemon", "told_where_it_fails"]
