"""Alerts by e-mail: text and HTML over SMTP with STARTTLS and login."""

from alerter.notifiers.email.notifier import EmailNotifier

__all__ = ["EmailNotifier"]
