"""Alerts as signed JSON, posted to an address of your own."""

from alerter.notifiers.webhook.notifier import WebhookNotifier

__all__ = ["WebhookNotifier"]
