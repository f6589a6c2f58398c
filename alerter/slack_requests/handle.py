"""From a verified Slack request to the answer for the person who sent it; the same for HTTP and Socket Mode."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from difflib import get_close_matches

from alerter.core.text import one_line
from alerter.notifiers.slack.escape import untrusted
from alerter.slack_requests import tables
from alerter.slack_requests.buttons import pressed, words
from alerter.slack_requests.desk import Desk, Outcome
from alerter.slack_requests.explained import explanation
from alerter.slack_requests.grammar import (
    Ack,
    Command,
    Explain,
    Help,
    Listing,
    Reading,
    Snooze,
    Status,
    Top,
    Unack,
    Unclear,
    parse,
)
from alerter.slack_requests.policy import Asker, Policy, asker_of_command, asker_of_interaction
from alerter.slack_requests.reply import Reply, say, unescape

log = logging.getLogger(__name__)

VIA = "slack"

_ACTOR = re.compile(r"slack:([UW][A-Z0-9]{5,}) \([^()]*\)")

_BROKEN = (
    "Sorry, that failed here and nothing was changed. Try again; "
    "if it stays so, whoever runs the alerter finds the reason in its log."
)


def handle_command(payload: Mapping[str, str], desk: Desk, policy: Policy) -> Reply:
    """Answer a slash command, given its form fields. Never raises: a failure is logged, and the person is told."""
    asker = asker_of_command(payload)
    text = unescape(payload.get("text", ""))
    slash = payload.get("command") or "/budget"
    try:
        if refusal := policy.refusal(asker):
            desk.refused(asker.actor, VIA, one_line(f"{slash} {text}", 200))
            return say(refusal)
        return _answer(parse(text), asker, _within(desk, policy, asker), slash)
    except Exception:  # the job boundary: one bad request must not take the door down
        log.exception("slack command failed actor=%s", asker.actor)
        return say(_BROKEN)


def handle_interaction(payload: Mapping[str, object], desk: Desk, policy: Policy) -> Reply | None:
    """Answer what was pressed or chosen, given its payload; None for what needs no answer, such as a link's button."""
    command = pressed(payload)
    if command is None:
        return None
    asker = asker_of_interaction(payload)
    try:
        if refusal := policy.refusal(asker):
            desk.refused(asker.actor, VIA, one_line(words(command), 200))
            return say(refusal)
        return _answer(command, asker, _within(desk, policy, asker), "/budget")
    except Exception:  # the job boundary, as above
        log.exception("slack button failed actor=%s", asker.actor)
        return say(_BROKEN)


def _within(desk: Desk, policy: Policy, asker: Asker) -> Desk:
    return desk.within(asker.places) if policy.own_budgets_only else desk


def _answer(command: Command, asker: Asker, desk: Desk, slash: str) -> Reply:
    actor = asker.actor
    match command:
        case Ack(reference, until, note):
            return _outcome(desk.acknowledge(reference, actor=actor, via=VIA, note=note, until=until))
        case Unack(reference):
            return _outcome(desk.unacknowledge(reference, actor=actor, via=VIA))
        case Snooze(reference, until, note):
            return _outcome(desk.snooze(reference, actor=actor, via=VIA, note=note, until=until))
        case _:
            return _told(command, desk, slash)


def _told(command: Reading, desk: Desk, slash: str) -> Reply:
    match command:
        case Status(name):
            return tables.budgets(desk.status(name), none=_no_budget(name, desk))
        case Listing(over):
            if over is None:
                return tables.budgets(desk.status(None), none=_no_budget(None, desk))
            return tables.budgets(desk.over(over), none=f"No budget is at {over} % or over.")
        case Top(limit, name):
            costs = desk.top(limit, name)
            known = costs or name is None or desk.status(name)
            return tables.runs(costs, none="No run has cost anything yet." if known else _no_budget(name, desk))
        case Explain(reference):
            return explanation(desk.explain(reference))
        case Unclear():
            return _unclear(command, desk, slash)
        case Help():
            return Reply(help_lines(slash))


def _unclear(command: Unclear, desk: Desk, slash: str) -> Reply:
    """Return one line where it is plain what was meant; the list of commands where it isn't."""
    near = _nearest(command.name, desk) if command.name else None
    guess = f"Did you mean `status {untrusted(near)}`?" if near else command.problem
    unknown = f"I don't know “{untrusted(command.word, 40)}”. " if command.word else ""
    if command.name and not near:
        return Reply((unknown + guess, *help_lines(slash)))
    return Reply((f"{unknown}{guess} `{untrusted(slash, 40)} help` lists the commands.",))


def help_lines(slash: str) -> tuple[str, ...]:
    """Return the list of commands, escaped, under the name that the slash command has in this workspace."""
    name = untrusted(slash, 40)
    lines = (
        ("status [NAME]", "where budgets stand"),
        ("list [over 80]", "every budget in a line, or those from 80 % up"),
        (
            "ack ID|NAME [until WHEN] [-- NOTE]",
            "quiet until the next threshold; or `100%`, `+$500`, `2d`, a date, `period`",
        ),
        ("snooze ID|NAME WHEN [-- NOTE]", "quiet for `4h`, `2d`, until `tomorrow`, a date, or for the `period`"),
        ("unack ID|NAME", "take either back"),
        ("top [N] [NAME]", "the most expensive runs"),
        ("explain ID|RUN", "what an alert's or a run's amount is made of"),
        ("help", "this list"),
    )
    return tuple(f"`{name} {usage}` {meaning}" for usage, meaning in lines)


def _outcome(outcome: Outcome) -> Reply:
    # Outcomes name people as the audit does; here Slack can show them as itself does.
    text = _ACTOR.sub(r"<@\1>", untrusted(outcome.text, 1_000))
    return Reply((f"{'✅' if outcome.ok else '⚠️'} {text}",))


def _no_budget(name: str | None, desk: Desk) -> str:
    """Say that a name is unknown, with the nearest one that isn't."""
    if not desk.status(None):
        return "No budget is being watched yet."
    if name is None:
        return "No budget has a current period."
    close = _nearest(name, desk)
    guess = f" Did you mean “{untrusted(close)}”?" if close else ""
    return f"No budget is called “{untrusted(name)}”.{guess}"


def _nearest(name: str, desk: Desk) -> str | None:
    """Return the budget or scope whose name is nearest to one; None if none is near."""
    if not name:
        return None
    known = {title.casefold(): title for each in desk.status(None) for title in (each.budget, each.title)}
    close = get_close_matches(name.casefold(), sorted(known), n=1, cutoff=0.5)
    return known[close[0]] if close else None
