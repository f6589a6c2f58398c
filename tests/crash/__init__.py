"""The real daemon, killed between evaluation and record, against a Slack emulator and a real SMTP server."""
