"""The first five minutes: a daemon on an MLflow server of its own, with sample runs and a budget that is crossed."""

from alerter.demo.demo import Demo, free_page_port
from alerter.demo.embedded_mlflow import has_mlflow_server, own_environment
from alerter.demo.problems import DemoError

__all__ = ["Demo", "DemoError", "free_page_port", "has_mlflow_server", "own_environment"]
