"""Health, API, metrics and tokens, over real HTTP."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import httpx2
import pytest

from alerter.metrics import Metrics
from alerter.web.auth import COOKIE, exposure_warning, own_names
from alerter.web.services import WebServices
from tests.fixtures.window_data import NOW_MS, PAGE, services
from tests.web.conftest import Serve

TOKEN = "t0ken-é-s3cret"
BEARER: dict[str, Any] = {"Authorization": f"Bearer {TOKEN}".encode()}
GUARDED = ("/", "/api/status", "/api/alerts", "/metrics")
OPEN = ("/healthz", "/readyz", "/openapi.json", "/static/style.css")


def with_token() -> WebServices:
    return replace(services(), token=lambda: TOKEN)


def raising() -> NoReturn:
    raise OSError("database s3cret-name is locked")


def test_it_is_alive_and_ready(serve: Serve) -> None:
    client = serve(services())
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"ready": True, "reasons": []}


def test_it_is_not_ready_and_says_why(serve: Serve) -> None:
    reasons = ["the first sweep of main is not complete", "no poll of main completed for 5 min"]
    answer = serve(replace(services(), readiness=lambda: reasons)).get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "reasons": reasons})


@pytest.mark.parametrize("path", ["/", "/api/status", "/api/alerts", "/readyz"])
def test_data_that_cannot_be_read_is_a_503_without_details(
    serve: Serve, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken = replace(services(), page=raising, status=raising, alerts=raising, readiness=raising)
    answer = serve(broken).get(path)
    assert answer.status_code == 503
    assert "s3cret" not in answer.text
    assert "s3cret-name is locked" in caplog.text


def test_the_api_gives_what_it_is_given(serve: Serve) -> None:
    client = serve(services())
    assert client.get("/api/status").json() == {"as_of": "2026-11-23T13:31:20Z", "budgets": []}
    assert client.get("/api/alerts").json() == {"alerts": []}


def test_openapi_names_what_is_there_and_loads_nothing_from_elsewhere(serve: Serve) -> None:
    client = serve(services())
    assert sorted(client.get("/openapi.json").json()["paths"]) == [
        "/api/alerts",
        "/api/status",
        "/healthz",
        "/metrics",
        "/readyz",
    ]
    assert client.get("/docs").status_code == 404


def test_metrics_are_prometheus_text(serve: Serve) -> None:
    metrics = Metrics("0.1.0")
    metrics.poll_done("main", seconds=1.5, runs=200, running=3, at_ms=NOW_MS)
    metrics.poll_failed("edge", seconds=0.1)
    metrics.config_loaded(ok=True, at_ms=NOW_MS)

    def before() -> None:
        metrics.set_alerts({"firing": 2})
        metrics.set_notifications({("slack", "pending"): 1})
        metrics.set_digests({"weekly": NOW_MS})

    text = serve(replace(services(), metrics=metrics, before_scrape=before)).get("/metrics").text
    lines = text.splitlines()
    for line in (
        'alerter_polls_total{source="main"} 1.0',
        'alerter_polls_failed_total{source="main"} 0.0',
        'alerter_polls_failed_total{source="edge"} 1.0',
        'alerter_poll_duration_seconds_sum{source="main"} 1.5',
        'alerter_runs_seen_total{source="main"} 200.0',
        'alerter_running_runs{source="main"} 3.0',
        f'alerter_last_complete_poll_timestamp_seconds{{source="main"}} {NOW_MS / 1000:.12g}'.replace("e+09", "e+09"),
        'alerter_alerts{status="firing"} 2.0',
        'alerter_alerts{status="snoozed"} 0.0',
        'alerter_notifications{kind="slack",state="pending"} 1.0',
        f'alerter_last_digest_timestamp_seconds{{digest="weekly"}} {NOW_MS / 1000:.12g}',
        "alerter_config_last_reload_successful 1.0",
        'alerter_build_info{version="0.1.0"} 1.0',
    ):
        name, value = line.rsplit(" ", 1)
        assert float(next(each for each in lines if each.startswith(name + " ")).rsplit(" ", 1)[1]) == float(value)


def test_metrics_outlive_the_database(serve: Serve) -> None:
    answer = serve(replace(services(), before_scrape=raising)).get("/metrics")
    assert answer.status_code == 200
    assert "alerter_build_info" in answer.text


def test_without_a_token_everything_is_open(serve: Serve) -> None:
    client = serve(services())
    assert {client.get(path).status_code for path in (*GUARDED, *OPEN)} == {200}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("localhost:8321", 200),
        ("alerter.localhost", 200),
        ("192.0.2.7:8321", 200),
        ("[::1]:8321", 200),
        ("Budgets.example.com", 200),
        ("evil.example.com:8321", 403),
        ("127.0.0.1.evil.example.com", 403),
        ("[nonsense", 403),
        ("", 403),
    ],
)
def test_without_a_token_a_foreign_name_gets_nothing(serve: Serve, name: str, code: int) -> None:
    client = serve(replace(services(), names=lambda: own_names("127.0.0.1", "https://budgets.example.com/costs")))
    assert {client.get(path, headers={"Host": name}).status_code for path in GUARDED} == {code}
    assert {client.get(path, headers={"Host": name}).status_code for path in OPEN} == {200}


def test_names_do_not_matter_beside_a_token_or_beyond_this_machine(serve: Serve) -> None:
    foreign = {"Host": "alerter.monitoring.svc"}
    with_both = replace(with_token(), names=lambda: own_names("127.0.0.1", None))
    assert serve(with_both).get("/metrics", headers=BEARER | foreign).status_code == 200
    everywhere = replace(services(), names=lambda: own_names("0.0.0.0", None))  # noqa: S104 - asked of a function
    assert serve(everywhere).get("/metrics", headers=foreign).status_code == 200


def test_with_a_token_data_needs_it_and_health_does_not(serve: Serve) -> None:
    client = serve(with_token())
    assert {client.get(path).status_code for path in GUARDED} == {401}
    assert {client.get(path, headers=BEARER).status_code for path in GUARDED} == {200}
    assert {client.get(path).status_code for path in OPEN} == {200}


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}".encode()},
        {"Authorization": b"Bearer \xff\xfe"},
        {"Cookie": f"{COOKIE}="},
        {"Cookie": f"{COOKIE}={TOKEN}".encode()},
    ],
)
def test_a_wrong_token_stays_outside(serve: Serve, headers: dict[str, Any]) -> None:
    assert serve(with_token()).get("/api/status", headers=headers).status_code == 401


def by_link(client: httpx2.Client) -> httpx2.Response:
    return client.get("/", params={"token": TOKEN})


def by_form(client: httpx2.Client) -> httpx2.Response:
    return client.post("/login", data={"token": f" {TOKEN}\n"})


@pytest.mark.parametrize("enter", [by_link, by_form])
def test_a_token_buys_a_cookie_that_does_not_hold_it(
    serve: Serve, enter: Callable[[httpx2.Client], httpx2.Response]
) -> None:
    client = serve(with_token())
    answer = enter(client)
    assert answer.status_code == 303
    assert "token" not in answer.headers["Location"]
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "s3cret" not in cookie
    assert "Where budgets stand" in client.get("/").text


@pytest.mark.parametrize("given", ["", "wrong", TOKEN + "x", "é", "\x00"])
def test_a_wrong_token_buys_nothing(serve: Serve, given: str) -> None:
    client = serve(with_token())
    for answer in (client.get("/", params={"token": given}), client.post("/login", data={"token": given})):
        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers
        assert "That is not the token" in answer.text


def test_a_new_token_ends_old_sessions(serve: Serve) -> None:
    tokens = ["first"]
    client = serve(replace(services(), token=lambda: tokens[0]))
    assert client.get("/", params={"token": "first"}).status_code == 303
    assert client.get("/").status_code == 200
    tokens[0] = "second"
    assert client.get("/").status_code == 401


def test_a_login_form_is_read_up_to_a_limit(serve: Serve) -> None:
    assert serve(with_token()).post("/login", content=b"token=" + b"x" * 10_000).status_code == 413


@pytest.mark.parametrize("path", [*GUARDED, *OPEN, "/nowhere"])
def test_every_answer_carries_the_headers(serve: Serve, path: str) -> None:
    headers = serve(services()).get(path).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in headers
    assert headers["Cache-Control"] == ("public, max-age=300" if path.startswith("/static") else "no-store")


def test_static_files_end_at_their_folder(serve: Serve) -> None:
    client = serve(services())
    assert client.get("/static/..%2fapp.py").status_code == 404
    assert client.get("/static/%2e%2e/%2e%2e/core/money.py").status_code == 404


@pytest.mark.parametrize(
    ("host", "token", "warned"),
    [
        ("127.0.0.1", None, False),
        ("localhost", None, False),
        ("::1", None, False),
        ("[::1]", None, False),
        ("0.0.0.0", None, True),  # noqa: S104
        ("::", "", True),
        ("budgets.internal", None, True),
        ("0.0.0.0", "secret", False),  # noqa: S104
    ],
)
def test_an_open_window_to_the_network_is_warned_about(host: str, token: str | None, *, warned: bool) -> None:
    warning = exposure_warning(host, token)
    assert (warning is not None) == warned
    assert not warned or "ALERTER_WEB_TOKEN" in str(warning)


def test_page_data_can_be_json_for_nobody_by_accident() -> None:
    with pytest.raises(TypeError):
        json.dumps(PAGE)
