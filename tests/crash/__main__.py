"""Kill the real daemon at every point between an evaluation and its record, and count what people got.

Ctrl-C ends it early, with the counts so far.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.crash.points import POINTS
from tests.crash.rounds import Outcome
from tests.crash.running import run
from tests.plugins.parts import why_no_node

_ROW = "{:54} {:>6} {:>6} {:>8} {:>6} {:>8} {:>9} {:>7}"


def main() -> int:
    """Return 0 if nothing was lost, and nothing was doubled in Slack."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="at each point (default 20)")
    parser.add_argument("--only", default="", metavar="TEXT", help="points whose line contains it")
    parser.add_argument("--workers", type=int, default=2, help="daemons at a time (default 2)")
    parser.add_argument("--json", type=Path, default=Path("build/crash.json"), help="where the counts go")
    given = parser.parse_args()
    if why := why_no_node():
        sys.stderr.write(f"error: {why}\n")
        return 2
    chosen = [each for each in POINTS if given.only in each.label]
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # the mail server wonders where its clients went
    began, outcomes = time.monotonic(), list[Outcome]()
    with tempfile.TemporaryDirectory(prefix="alerter-crash-") as folder, suppress(KeyboardInterrupt):
        for outcome in run(Path(folder), chosen * given.rounds, workers=given.workers):
            outcomes.append(outcome)
            print(f"\r{len(outcomes)} of {len(chosen) * given.rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(_ROW.format("", "", "Slack", "", "SMTP", "", "Slack", ""))
    print(_ROW.format("killed at", "kills", "lost", "doubled", "lost", "doubled", "outdated", "failed"))
    rows = [_row(each.label, [one for one in outcomes if one.point == each]) for each in chosen]
    rows.append(_row("together", outcomes))
    for row in rows:
        print(_ROW.format(*row.values()))
    for text in filter(None, (each.failed or each.outdated for each in outcomes)):
        print(f"failed: {text}", file=sys.stderr)
    print(f"{len(outcomes)} kills in {time.monotonic() - began:.0f} s, written to {given.json}")
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    total = rows[-1]
    return int(any(total[name] for name in ("slack_lost", "slack_doubled", "smtp_lost", "slack_outdated", "failed")))


def _row(name: str, outcomes: Sequence[Outcome]) -> dict[str, str | int]:
    return {
        "point": name,
        "kills": len(outcomes),
        "slack_lost": sum(each.slack.lost for each in outcomes),
        "slack_doubled": sum(each.slack.doubled for each in outcomes),
        "smtp_lost": sum(each.smtp.lost for each in outcomes),
        "smtp_doubled": sum(each.smtp.doubled for each in outcomes),
        "slack_outdated": sum(bool(each.outdated) for each in outcomes),
        "failed": sum(bool(each.failed) for each in outcomes),
    }


if __name__ == "__main__":
    sys.exit(main())
