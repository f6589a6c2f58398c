"""Late answers: a post to the ``response_url`` that came with a request, and to nowhere else."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit

from alerter.slack_requests.reply import Reply

log = logging.getLogger(__name__)

SLACK_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
TIMEOUT_S = 5.0
TRIES = 2
"""Slack takes five posts to one response_url: one answer and one more try leave room."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would lead the post to a place that was not checked."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


# Keeps the environment's proxies; certificates are verified by default.
_OPENER = urllib.request.build_opener(_NoRedirect)


def is_allowed(url: str, base_url: str) -> bool:
    """Whether a response_url leads to Slack, or to the server that ``base_url`` configures instead of it.

    A signed request can be trusted, but whoever gets hold of the secret must not have the daemon post into the network.
    """
    try:
        parts, base = urlsplit(url), urlsplit(base_url)
        if (parts.scheme, parts.hostname, parts.port) == (base.scheme, base.hostname, base.port):
            return parts.hostname is not None and parts.username is None
        return parts.scheme == "https" and parts.netloc in SLACK_HOSTS
    except ValueError:
        return False


def post(url: str, reply: Reply, base_url: str) -> bool:
    """Post a reply to a response_url, at most twice; return whether it was taken. The URL is a secret: never logged."""
    if not is_allowed(url, base_url):
        log.warning("late slack answer dropped reason=%s", "the response_url is not Slack's")
        return False
    body = json.dumps(reply.body()).encode()
    reason = ""
    for _ in range(TRIES):
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            url, body, {"Content-Type": "application/json; charset=utf-8"}, method="POST"
        )
        try:
            with _OPENER.open(request, timeout=TIMEOUT_S):
                return True
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code}"
            error.close()
            if error.code < 500:
                break
        except (OSError, HTTPException) as error:
            reason = type(error).__name__
    log.warning("late slack answer lost reason=%s", reason)
    return False
