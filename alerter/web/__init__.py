"""The windows: status page, JSON API, HTTP for Slack, /metrics, /healthz, /readyz.

Import `alerter.web.app` only where it is needed: FastAPI takes a quarter of a second.
"""
