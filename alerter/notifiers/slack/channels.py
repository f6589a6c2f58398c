"""From the channel of the configuration (``#ml-costs`` or an id) to what Slack knows of it."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from typing import Any

from alerter.notifiers.slack.client import SlackApi
from alerter.notifiers.slack.errors import ScopeMissingError

log = logging.getLogger(__name__)

_ID = re.compile(r"^[CGD][A-Z0-9]{6,}$")


class Channels:
    """The channels that the bot can see, listed when first needed; ids are kept, names are theirs to change."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._ids: dict[str, str] = {}
        self._lock = threading.Lock()

    def learn(self, name: str, channel_id: str) -> None:
        """Keep the id that Slack answered a post with."""
        with self._lock:
            self._ids[bare(name)] = channel_id

    def known(self, name: str) -> str:
        """Return a channel's id where it was learnt already, else the name as it is written."""
        with self._lock:
            return self._ids.get(bare(name), name)

    def id_of(self, name: str) -> str | None:
        """Return a channel's id, or None where the bot can't see one of that name.

        Raises:
            DeliveryError: the channels can't be listed.
        """
        if _ID.match(name):
            return name
        known = self.known(name)
        return known if known != name else self.look_up(name)

    def look_up(self, name: str) -> str | None:
        """Return a channel's id from a fresh list, and keep it; None and errors as in `id_of`."""
        found = self.info(name, self.all())
        if found is None:
            return None
        self.learn(name, str(found["id"]))
        return str(found["id"])

    def all(self) -> list[Mapping[str, Any]]:
        """Return every channel that the token may list, archived ones too: public, private, or both.

        Raises:
            DeliveryError: the channels can't be listed.
        """
        for types in ("public_channel,private_channel", "public_channel"):
            try:
                return self._list(types)
            except ScopeMissingError:
                log.debug("channels are not listed, for want of a scope types=%s", types)
        return self._list("private_channel")

    @staticmethod
    def info(name: str, channels: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """Return the channel of a name or an id."""
        wanted = bare(name)
        return next((each for each in channels if name == each.get("id") or wanted == each.get("name")), None)

    def _list(self, types: str) -> list[Mapping[str, Any]]:
        pages = self._api.pages("conversations.list", "the list of channels", types=types, exclude_archived=False)
        return [channel for page in pages for channel in page.get("channels", [])]


def bare(name: str) -> str:
    """Return a channel's name as Slack keeps it: ``ml-costs`` for ``#ML-Costs``."""
    return name.strip().removeprefix("#").lower()
