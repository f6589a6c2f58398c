"""Alerts in Slack: one Block Kit message by ``chat.postMessage``, found again by its metadata, edited in place."""

from alerter.notifiers.slack.notifier import SlackNotifier

__all__ = ["SlackNotifier"]
