"""What every test has: the markers for parts that a machine may lack, and one hypothesis profile."""

import os

from hypothesis import settings

pytest_plugins = [
    "pytester",
    "tests.plugins.parts",
    "tests.fixtures.browser",
    "tests.fixtures.debian",
    "tests.fixtures.store",
    "tests.fixtures.http_receiver",
    "tests.fixtures.mlflow_server",
    "tests.fixtures.scripted_slack",
    "tests.fixtures.slack_emulator",
    "tests.fixtures.smtp_server",
    "tests.fixtures.tcp_proxy",
]

# No deadline: a laptop that is busy is no counter-example. In CI the examples are the same every time.
settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("house")
