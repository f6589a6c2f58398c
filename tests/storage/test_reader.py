"""Listings as a server gives them on good days and bad: folders, pages, nonsense, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from alerter.core.ports import SourceError
from alerter.core.storage import Artifacts, UnlistableError
from alerter.sources.mlflow_rest import MlflowRestSource
from tests.sources.scripted import Answer, ScriptedServer

RUN = Artifacts("a" * 32)
GONE = Answer({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"}, 404)


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def source_of(server: ScriptedServer) -> MlflowRestSource:
    return MlflowRestSource(name="main", tracking_uri=server.uri, back_off_s=0.01)


def file(path: str, size: object) -> dict[str, Any]:
    return {"path": path, "is_dir": False, "file_size": size}


def folder(path: str) -> dict[str, Any]:
    return {"path": path, "is_dir": True}


def test_pages_and_folders_are_added_up(scripted: ScriptedServer) -> None:
    scripted.on(
        "artifacts/list",
        Answer({"files": [file("a", 1), folder("b")], "next_page_token": "2"}),
        Answer({"files": [file("c", "20"), {"path": "empty"}]}),
        Answer({"files": [file("b/d", 300)]}),
    )
    assert source_of(scripted).artifact_bytes(RUN) == 321


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"files": "nonsense"}),
        Answer({"files": [file("a", "big")]}),
        Answer({"files": [file("a", -5)]}),
        Answer({"files": [{"is_dir": True}]}),
        Answer({"files": [file("a", 2**60)]}),
        Answer({"files": [folder("")]}),
        Answer({"files": [None]}),
        Answer([1, 2]),
        Answer(b"<html>Sign in</html>"),
        Answer(b"<!doctype html>Internal Server Error", 500),
        Answer({"error_code": "PERMISSION_DENIED", "message": "no"}, 403),
        Answer({"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid path"}, 400),
    ],
)
def test_what_is_no_listing_is_asked_for_once_and_told(scripted: ScriptedServer, answer: Answer) -> None:
    scripted.on("artifacts/list", answer)
    with pytest.raises(UnlistableError) as told:
        source_of(scripted).artifact_bytes(RUN)
    assert len(scripted.requests["artifacts/list"]) == 1
    assert "<" not in str(told.value)


def test_a_folder_that_lists_itself_ends(scripted: ScriptedServer) -> None:
    scripted.on("artifacts/list", Answer({"files": [folder("a")]}))
    with pytest.raises(UnlistableError):
        source_of(scripted).artifact_bytes(RUN)
    scripted.on("artifacts/list", Answer({"files": [file("a", 1)], "next_page_token": "again"}))
    with pytest.raises(UnlistableError, match="no end"):
        source_of(scripted).artifact_bytes(RUN)


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_server_that_cannot_be_read_now_says_nothing_of_the_run(scripted: ScriptedServer, status: int) -> None:
    scripted.on("artifacts/list", Answer(b"later", status))
    with pytest.raises(SourceError) as told:
        source_of(scripted).artifact_bytes(RUN)
    assert not isinstance(told.value, UnlistableError)


def test_a_run_that_is_gone_holds_nothing_and_a_missing_folder_of_one_that_is_there_is_a_gap(
    scripted: ScriptedServer,
) -> None:
    scripted.on("artifacts/list", GONE)
    assert source_of(scripted).artifact_bytes(RUN) is None
    scripted.on("runs/search", Answer({"runs": [{"info": {"run_id": RUN.run_uuid}}]}))
    with pytest.raises(UnlistableError):
        source_of(scripted).artifact_bytes(RUN)


def test_a_folder_that_vanishes_meanwhile_is_left_out(scripted: ScriptedServer) -> None:
    scripted.on("artifacts/list", Answer({"files": [file("a", 1), folder("b")]}), GONE)
    assert source_of(scripted).artifact_bytes(RUN) == 1


def test_models_that_are_written_unreadably_are_left_out_and_an_old_server_has_none(scripted: ScriptedServer) -> None:
    good = {"model_id": "m-1", "experiment_id": "1", "last_updated_timestamp_ms": "5", "status": "LOGGED_MODEL_READY"}
    rows: list[object] = [{"info": good}, {}, {"info": {"model_id": "m-2"}}, {"info": good | {"tags": "x"}}, 7]
    scripted.on("logged-models/search", Answer({"models": rows}))
    (batch,) = source_of(scripted).models(0, 100)
    assert [(each.artifacts, each.changed_ms) for each in batch.models] == [(Artifacts("", "m-1"), 5)]
    scripted.on("logged-models/search", Answer(b"<h1>Not Found</h1>", 404))
    (none,) = source_of(scripted).models(0, 100)
    assert not none.models
    assert not source_of(scripted).still_there([Artifacts("", "m-1")])


def test_models_are_read_on_until_the_next_read_can_begin_later(scripted: ScriptedServer) -> None:
    def page(_asked: dict[str, Any], at_ms: int) -> Answer:
        info = {"model_id": f"m-{at_ms}", "experiment_id": "1", "last_updated_timestamp_ms": at_ms}
        return Answer({"models": [{"info": info}], "next_page_token": "more"})

    scripted.on("logged-models/search", *(lambda asked, at=at: page(asked, at) for at in (7, 7, 8, 9)))
    batches = list(source_of(scripted).models(7, 1))
    assert [(each.models[0].changed_ms, each.behind) for each in batches] == [(7, True), (7, True), (8, True)]
