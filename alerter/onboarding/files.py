"""The files of a first configuration, as text: short, commented, and valid as they stand."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

from alerter.config.schema_files import hint
from alerter.core.budgets import UNTAGGED
from alerter.core.money import human
from alerter.core.text import one_line
from alerter.onboarding.answers import Answers
from alerter.onboarding.proposal import Proposal, Spent
from alerter.onboarding.survey import Survey

ALERTS, OPERATORS = "ml-costs", "platform"
"""Receivers: of alerts, and of whoever runs the daemon."""

CURRENCY = "USD"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_SHOWN_TYPES = 20
_REGIONS = {"aws": "us-east-1", "azure": "eastus", "gcp": "us-central1"}
_COLUMN = 46


def files(answers: Answers, found: Survey, proposal: Proposal) -> dict[str, str]:
    """Return the text of each file by its name within the folder."""
    texts = {
        "alerter.yaml": _alerter(answers, proposal),
        "budgets.yaml": _budgets(answers, found, proposal),
        "prices.yaml": _prices(found),
    }
    return {name: "\n".join((hint(name), *lines)) + "\n" for name, lines in texts.items()}


def provisional_files(answers: Answers) -> dict[str, str]:
    """Return files that a server can be read with before anything is known of it."""
    budget = "budgets: [{name: everything, amount: 1, period: monthly, receivers: [console]}]\n"
    return {"alerter.yaml": "\n".join(_sources(answers)) + "\n", "budgets.yaml": budget}


def quoted(text: str) -> str:
    """Return text as YAML reads it back: as it is where it is a plain word, else in quotes."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def _sources(answers: Answers) -> Iterator[str]:
    yield "sources:"
    yield "  - name: main"
    yield f"    tracking_uri: {quoted(answers.address)}"
    if answers.backend_store:
        yield f"    backend_store: {quoted(answers.backend_store)}"
    if answers.history_from:
        yield _beside(f"    history_from: {answers.history_from}", "runs that ended before are left out")


def _alerter(answers: Answers, proposal: Proposal) -> Iterator[str]:
    yield "# How the daemon runs. `alerter check` tells what is missing, docs/configuration.md what else there is."
    yield "# Secrets never stand here: set SLACK_BOT_TOKEN, MLFLOW_TRACKING_PASSWORD, ... in the environment."
    yield ""
    yield from _sources(answers)
    yield _beside("    # ui_url: https://mlflow.example.com", "for links, if people open MLflow elsewhere")
    yield ""
    yield _beside("database: sqlite:///alerter.db", "relative to where the daemon is started")
    if answers.tag is not None:
        yield from _tags(answers.tag, answers.derive, folded=proposal.folded)
    yield ""
    yield "receivers:"
    yield f"  - name: {ALERTS}"
    if answers.channel:
        yield _beside(
            f"    slack: {{channel: {json.dumps(answers.channel)}}}", "needs SLACK_BOT_TOKEN and SLACK_APP_TOKEN"
        )
    else:
        yield _beside("    console: {}", "prints to the daemon's output")
        yield _beside('    # slack: {channel: "#ml-costs"}', "quoted: a bare # begins a comment")
    yield _beside("    # email: {to: [ml-costs@example.com]}", "needs `email:` below")
    yield f"  - name: {OPERATORS}"
    yield "    console: {}"
    yield _beside(f"operators: {OPERATORS}", "is told when a source or a delivery fails")
    yield ""
    yield _beside("slack: {mode: socket, command: /budget}", "http, if Slack can reach web.public_url")
    yield "# email: {host: smtp.example.com, port: 587, starttls: true, from: budgets@example.com}"
    yield _beside("web: {listen: 127.0.0.1:8321}", "public_url: https://budgets.example.com, for links")
    if answers.observe:
        yield _beside("alerts: {mode: observe}", "alerts are recorded and nobody is told; remove it to begin")


def _tags(tag: str, derive: str | None, *, folded: bool) -> Iterator[str]:
    fold = f"casefold: [{quoted(tag)}]"
    if derive is not None:
        pattern = json.dumps(derive, ensure_ascii=False)
        yield f"tags: {{{f'{fold}, ' if folded else ''}derive: {{{quoted(tag)}: {pattern}}}}}"
    elif folded:
        yield _beside(f"tags: {{{fold}}}", "Vision and vision are one")
    else:
        yield _beside(f"# tags: {{{fold}}}", "Vision and vision are one")


def _budgets(answers: Answers, found: Survey, proposal: Proposal) -> Iterator[str]:
    yield "# What may be spent, and who is told. docs/budgets.md explains every key. Instead of this file there may be"
    yield "# a folder budgets/ with one file a team."
    if proposal.everything.dearest_nanos:
        yield "# Amounts are a third above the dearest calendar month so far (estimates): write what is agreed."
    yield ""
    yield "defaults:"
    yield f"  currency: {CURRENCY}"
    yield _beside(f"  timezone: {answers.timezone}", "days and months begin at its midnight")
    yield "  period: monthly"
    yield "  thresholds: [80%, 100%, forecast 100%]"
    yield f"  receivers: [{ALERTS}]"
    yield ""
    yield "budgets:"
    yield "  - name: everything"
    yield _beside(f"    amount: {proposal.everything.amount}", _dearest(proposal.everything))
    if answers.tag is None:
        return
    yield ""
    yield f"  - name: {quoted(f'every-{answers.tag}'[:100])}"
    runs = 0 if answers.derive else found.untagged(answers.tag)
    without = f"; {runs:,} runs without it are {UNTAGGED}" if runs else ""
    yield _beside(f"    group_by: [{quoted(answers.tag)}]", f"one budget for each of its values{without}")
    yield _beside(f"    amount: {proposal.default}", "of a value that is not listed below")
    if len(answers.tag) < 40 and _PLAIN.fullmatch(answers.tag):
        template = f'"{{{answers.tag}}}-costs"'
        yield _beside(f"    # receivers: [{template}, {ALERTS}]", "its own receiver, where alerter.yaml has one")
    if proposal.values:
        yield "    overrides:"
    for each in proposal.values:
        yield _beside(f"      - {{{quoted(answers.tag)}: {quoted(each.value)}, amount: {each.amount}}}", _dearest(each))
    if proposal.more:
        yield f"    # {proposal.more:,} more values have the amount above."


def _prices(found: Survey) -> Iterator[str]:
    provider = _most(found.providers) or "aws"
    region = _most(found.regions) or _REGIONS.get(provider, "us-east-1")
    yield "# What usage costs: list prices, until you write your own. docs/prices.md explains every key."
    yield "# Prices are quoted, so that they stay exact."
    yield ""
    yield f"currency: {CURRENCY}"
    yield "catalogs: [builtin]"
    said = "what most runs say" if found.regions else "assumed: no run says where it is; write where yours are"
    yield _beside(f"defaults: {{provider: {quoted(provider)}, region: {quoted(region)}}}", said)
    unpriced = found.machines.unpriced.most_common(_SHOWN_TYPES)
    if unpriced:
        yield ""
        yield "# In use, and without a price: write one and take the # away. Until then their runs are a visible gap."
        yield "# prices:"
    for name, runs in unpriced:
        match = f"{{instance_type: {json.dumps(one_line(name), ensure_ascii=False)}}}"
        line = f'#   - {{match: {match}, per_instance_hour: "..."}}'
        yield _beside(line, f"{runs:,} run{'' if runs == 1 else 's'}")
    yield ""
    yield "# For runs that log GPUs, CPUs and memory instead of an instance type; the numbers are OpenCost's."
    yield "resources:"
    yield '  per_vcpu_hour: "0.031611"'
    yield '  per_gib_hour: "0.004237"'
    yield '  per_gpu_hour: {"T4": "0.35", "*": "0.95"}'


def _dearest(spent: Spent) -> str:
    if not spent.dearest_nanos:
        return "nothing was spent yet"
    return f"dearest month: {human(spent.dearest_nanos, CURRENCY)}"


def _most(counted: Counter[str]) -> str | None:
    return counted.most_common(1)[0][0] if counted else None


def _beside(line: str, comment: str) -> str:
    return f"{line.ljust(_COLUMN)}  # {comment}"
