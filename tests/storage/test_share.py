"""What is read in the background takes no more than its share of a server's time, told by a clock that doesn't run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import given, settings, strategies as st

from alerter.core.storage import Artifacts
from alerter.core.traces import TraceRequest
from alerter.sources.mlflow_rest import MlflowRestSource
from alerter.sources.mlflow_rest.share import AHEAD_S, LONGEST_S, Share
from tests.fixtures.mlflow_server import MlflowServer
from tests.sources.poller import DAY, HOUR, NOW, Poller

T = TypeVar("T")


@dataclass
class Clock:
    """Time that only calls and waits take."""

    now: float = 1000.0
    waited: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds

    def call(self, seconds: float) -> float:
        self.now += seconds
        return seconds


def shared(clock: Clock, share: float) -> Share:
    return Share(share, threading.Event(), clock=clock, wait=clock.wait)


@settings(max_examples=50)
@given(
    st.sampled_from([0.01, 0.25, 0.5, 1.0]),
    st.lists(st.tuples(st.floats(0, 90), st.floats(0, 5)), min_size=1, max_size=40),
)
def test_the_share_is_kept_over_any_time(share: float, steps: list[tuple[float, float]]) -> None:
    clock = Clock()
    paced, used, longest = shared(clock, share), 0.0, 0.0
    for quiet, takes in steps:
        clock.now += quiet
        paced.take(lambda takes=takes: clock.call(takes))  # type: ignore[misc] # bound now
        counts = min(takes, share * LONGEST_S)
        used += counts
        longest = max(longest, counts)
        assert used <= share * (clock.now - 1000) + AHEAD_S + longest + 1e-6


def test_an_ordinary_poll_never_waits_and_a_long_walk_does() -> None:
    clock = Clock()
    paced = shared(clock, 0.25)
    for _ in range(100):
        for _ in range(10):
            paced.take(lambda: clock.call(0.05))
        clock.now += 59.5
    assert not clock.waited
    began = clock.now
    for _ in range(200):
        paced.take(lambda: clock.call(0.1))
    # 20 s of the server's time, two of them at once.
    assert 71 <= clock.now - began <= 73


def test_one_slow_call_holds_nothing_up_for_minutes() -> None:
    clock = Clock()
    paced = shared(clock, 0.25)
    for seconds in (20.0, 0.1, 0.1):
        paced.take(lambda seconds=seconds: clock.call(seconds))  # type: ignore[misc] # bound now
    # Each of the others pays for itself, but for the time that it took.
    assert [round(each, 3) for each in clock.waited] == [LONGEST_S, 0.3]


def test_the_end_of_the_process_waits_for_nothing() -> None:
    stop = threading.Event()
    stop.set()
    paced = Share(0.01, stop)
    for _ in range(3):
        paced.take(lambda: threading.Event().wait(0.01))


class Counted(Share):
    """A share that counts what waits for its turn."""

    def __init__(self) -> None:
        super().__init__(1.0, threading.Event())
        self.calls = 0

    def take(self, call: Callable[[], T]) -> T:
        self.calls += 1
        return super().take(call)

    def new(self) -> int:
        """How many calls there were since one last asked."""
        calls, self.calls = self.calls, 0
        return calls


def test_reading_again_traces_and_artifacts_wait_for_their_turn_and_a_first_sweep_does_not(
    mlflow_server: MlflowServer,
) -> None:
    experiment = mlflow_server.experiment()
    run_id = mlflow_server.ended_run(experiment, NOW - 2 * HOUR, NOW - HOUR)
    name = mlflow_server.experiment_name(experiment)
    source = MlflowRestSource(name="main", tracking_uri=mlflow_server.uri, include=[name])
    source._share = counted = Counted()
    poller = Poller(source).poll()
    assert (poller.swept, counted.new()) == (True, 0)
    assert poller.poll(NOW + HOUR).times_seen == {run_id: 1}  # nobody but the slice looks at it again
    assert counted.new() >= 1
    list(source.traces(TraceRequest("", NOW - DAY, NOW, 500, lambda _ids: ())))
    assert counted.new() >= 1
    source.artifact_bytes(Artifacts(run_id))
    assert counted.new() >= 1
    source.still_there([Artifacts(run_id)])
    assert counted.new() >= 1
