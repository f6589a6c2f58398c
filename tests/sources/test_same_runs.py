"""Every way to one MLflow tells the same of every run, trace and LoggedModel, whichever MLflow wrote it."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from alerter.core.storage import Artifacts, ModelSeen
from alerter.core.traces import TraceRequest, TraceUse
from alerter.core.usage import Tokens
from tests.fixtures.mlflow_server import MlflowServer, serving, upgrade
from tests.sources.conftest import OLDEST, SERVERS, ServerOf, Way, database_of, each_of
from tests.sources.odd_world import COSTS, RUNS, USAGE, write_world
from tests.sources.poller import DAY, MINUTE, NOW, Poller


@dataclass(frozen=True)
class World:
    """What was written to a server: experiments whose names begin with ``prefix``."""

    server: MlflowServer
    prefix: str

    def ways(self) -> Iterable[Way]:
        """Yield its server, its database, and its file where the installed MLflow can open it."""
        yield Way(self.server, {"tracking_uri": self.server.uri})
        yield Way(self.server, database_of(self.server))
        if self.server.store.startswith("sqlite") and self.server.is_installed:
            yield Way(self.server, {"tracking_uri": self.server.store})


@pytest.fixture(scope="module", params=each_of(*SERVERS, f"upgraded of {OLDEST}"))
def world(
    request: pytest.FixtureRequest, server_of: ServerOf, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    if request.param in SERVERS:
        yield World(server := server_of(request.param), write_world(server))
        return
    prefix = write_world(older := server_of(f"SQLite of {OLDEST}"))
    copy = shutil.copyfile(older.database, (folder := tmp_path_factory.mktemp("upgraded")) / "mlflow.db")
    upgrade(f"sqlite:///{copy}")
    with serving(folder) as server:
        yield World(server, prefix)


@pytest.mark.parametrize(
    ("include", "exclude", "runs"),
    [
        ("*", (), 2 * RUNS),
        ("*-served*", ("*-vision",), 11),
        ("*-direct-v*", ("*gone",), 15),
    ],
)
def test_all_of_its_runs(world: World, include: str, exclude: tuple[str, ...], runs: int) -> None:
    chosen = {"include": [f"{world.prefix}{include}"], "exclude": exclude}
    over_rest, database, *others = (polled(way, **chosen) for way in world.ways())
    assert len(over_rest.runs) == runs
    assert over_rest.runs == database.runs
    assert all(over_rest.runs == each.runs for each in others)
    assert database.swept
    assert set(database.times_seen.values()) == {1}
    assert database.poll(NOW).runs == over_rest.runs  # and a later poll tells nothing else


def polled(way: Way, **chosen: object) -> Poller:
    few = {"batch": 4} if "backend_store" in way.settings else {}
    return Poller(way.source(usage_keys=USAGE, cost_keys=COSTS, **few, **chosen)).poll()


def test_all_of_its_traces(world: World) -> None:
    over_rest, *others = (traces(way, world) for way in world.ways())
    assert all(over_rest == each for each in others)
    whole = (Tokens("gpt-4o-mini", NOW - DAY, 1000, 20),)
    cached = (Tokens("gpt-4o-mini", NOW - DAY + MINUTE, 500, 7, cached_input_tokens=400),)
    assert [(each.used, each.own) for each in over_rest] == [(whole, (("team", "nlp"),))] * 2 + [(cached, ())] * 2
    assert [each.logged_tokens for each in over_rest[:2]] == [1020, 1020]
    assert all(each.logged_cost for each in over_rest)
    assert {dict(each.tags)["team"] for each in over_rest} == {"vision"}


def traces(way: Way, world: World) -> list[TraceUse]:
    found: dict[str, TraceUse] = {}
    request = TraceRequest("", NOW - 3 * DAY, NOW, 500, found.keys().__and__)
    for batch in way.source(include=[f"{world.prefix}*"]).traces(request):
        assert not found.keys() & {each.trace_id for each in batch.traces}
        found |= {each.trace_id: each for each in batch.traces}
    return sorted(found.values(), key=lambda each: (each.at_ms, each.trace_id))


def test_all_of_its_models(world: World) -> None:
    over_rest, *others = (models(way, world) for way in world.ways())
    assert all(over_rest == each for each in others)
    assert [(each.ready, dict(each.tags)["team"]) for each in over_rest] == [(True, "nlp"), (False, "Sprache")] * 2


def test_what_of_it_is_still_there(world: World) -> None:
    over_rest, *others = world.ways()
    known = {Artifacts(run) for run in polled(over_rest, include=[f"{world.prefix}*"]).runs}
    known |= {each.artifacts for each in models(over_rest, world)}
    strangers = {Artifacts("f" * 32), Artifacts("", "m-" + "f" * 32)}
    assert len(known) == 2 * RUNS + 4
    for way in (over_rest, *others):
        assert way.source(include=[f"{world.prefix}*"]).still_there(known | strangers) == known
        assert not way.source(include=["nothing"]).still_there(known)


def models(way: Way, world: World) -> list[ModelSeen]:
    source = way.source(include=[f"{world.prefix}*"])
    return [each for batch in source.models(0, 500) for each in batch.models]


def test_no_workspace_but_the_chosen_one(database: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = database.experiment()
    run = database.server.start_run(experiment, NOW)
    assert run in database.poller(experiment).poll().runs
    monkeypatch.setenv("MLFLOW_WORKSPACE", "research")
    assert not database.poller(experiment).poll().runs
