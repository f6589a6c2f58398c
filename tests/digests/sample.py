"""A digest to show: the one that `docs/pictures.py` draws; its figures agree with the alerts there."""

from __future__ import annotations

from datetime import UTC, datetime

from alerter.core.alerts import Digest, DigestBudget, Message, MessageKind, RunEvidence
from alerter.core.digest_wording import digest_title
from alerter.core.money import NANOS

DATA_MS = round(datetime(2026, 11, 23, 8, tzinfo=UTC).timestamp() * 1000)


def _budget(title: str, figures: tuple[int, int, int | None], moved: int, before: int, stale: int = 0) -> DigestBudget:
    """Return a scope; ``figures`` are amount, spent and expected in dollars."""
    amount, spent, expected = figures
    return DigestBudget(
        title=title,
        period="November",
        amount_nanos=amount * NANOS,
        spent_nanos=spent * NANOS,
        expected_nanos=None if expected is None else expected * NANOS,
        days_left=8,
        moved_nanos=moved * NANOS,
        before_nanos=before * NANOS,
        stale_nanos=stale * NANOS,
    )


def _run(name: str, machine: str, cost: int, per_hour_cents: int = 0, stale: int = 0) -> RunEvidence:
    url = f"https://mlflow.example.com/#/experiments/7/runs/{name}"
    running = per_hour_cents > 0 or stale > 0
    return RunEvidence(name, name, url, machine, running, cost * NANOS, per_hour_cents * NANOS // 100, stale * NANOS)


_FRAUD = _budget("fraud-detection", (5_000, 5_532, 7_100), 1_020, 1_310)
_VISION = _budget("vision", (12_000, 9_140, 14_600), 3_510, 1_200, stale=120)
_ANALYTICS = _budget("analytics", (2_000, 1_250, 2_190), 420, 380)
_UNTAGGED = _budget("(untagged)", (2_000, 310, 420), 90, 160)
DIGEST = Digest(
    name="weekly",
    every="weekly",
    day="2026-11-23",
    days=7,
    timezone="Europe/Berlin",
    currency="USD",
    as_of_ms=DATA_MS,
    budgets=(_FRAUD, _VISION, _ANALYTICS, _UNTAGGED),
    over=3,
    movers=(_VISION, _ANALYTICS),
    top=(
        _run("trial-14", "4 x p4d.24xlarge (from num_workers)", 1_180, 87_83),
        _run("hpo-resnet", "p4d.24xlarge", 1_010, 21_96),
        _run("xgboost-final", "4 x m5.24xlarge", 612),
    ),
    more_runs=61,
    stale=(_run("notebook-test", "g5.12xlarge", 64, stale=120),),
    stale_runs=1,
    stale_nanos=120 * NANOS,
    priced_percent=94,
    page_url="https://budgets.example.com",
)
MESSAGE = Message(MessageKind.DIGEST, title=digest_title(DIGEST), at_ms=DATA_MS, digest=DIGEST)
