"""What several tests of tokens need."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from alerter.bootstrap import wire
from alerter.store.engine import Store
from alerter.store.migrate import migrate
from tests.fixtures.mlflow_server import MlflowServer
from tests.tokens.traced import Traced, config_for
from tests.truth.ledgers import DAY


@pytest.fixture
def traced(tmp_path: Path, mlflow_server: MlflowServer) -> Iterator[Traced]:
    experiment = mlflow_server.experiment(team="platform")
    config = config_for(tmp_path / "config", mlflow_server, experiment)
    with closing(Store(f"sqlite:///{tmp_path / 'alerter.db'}")) as store:
        migrate(store)
        now_ms = int(time.time() * 1000) + DAY  # the client's clock is the machine's
        yield Traced(mlflow_server, experiment, wire(config, store, now_ms=now_ms), now_ms)
