"""Look at everything that could keep an alert from arriving, and say what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from itertools import islice
from urllib.parse import urlsplit

from alerter.config import Config
from alerter.core.budgets import Budget, TagCleaning, receivers_for, scope_of
from alerter.core.ports import Finding, PollRequest, RunSource, Target
from alerter.core.usage import Pairs
from alerter.notifiers.slack.escape import notifies
from alerter.services import Services
from alerter.store.engine import Store, StoreError
from alerter.store.migrate import schema_state

_SAMPLED_BATCHES = 5
_SHORT = 16
"""How far a server is read to see which tags are in use, where the ledger doesn't know yet."""

_SECRETS = {
    "slack": (("slack_bot_token", "messages can't be sent"),),
    "email": (("smtp_username", "mail is sent without a login"), ("smtp_password", "mail is sent without a login")),
}


def check_files(config: Config) -> Iterator[Finding]:
    """Yield what can be told of the files alone, on a machine that has no secrets: of a pull request."""
    for path in config.files:
        yield Finding("ok", str(path), "valid")
    if config.revision:
        yield Finding("ok", "configuration", f"is at commit {config.revision}")
    yield from _receivers(config)
    yield from _mentions(config)
    yield from _storage(config)
    if config.operators is None:
        remedy = "set `operators:` in alerter.yaml to a receiver"
        yield Finding("warning", "operators", "nobody is told when a source or a delivery fails", remedy)
    yield from _links(config)


def check_offline(config: Config) -> Iterator[Finding]:
    """Yield what can be told of the files and the secrets without any network."""
    yield from check_files(config)
    yield from _secrets(config)
    yield from _named(config)
    yield from _web(config)


def check_database(store: Store) -> Finding:
    """Return whether the state database can be used."""
    subject = f"database {store.name}"
    try:
        state = schema_state(store)
    except StoreError as error:
        text, _, remedy = str(error).removeprefix(f"{subject}").lstrip(": ").partition("; ")
        return Finding("error", subject, text, remedy)
    if state in {"newer", "foreign"}:
        remedy = "set `database:` in alerter.yaml to a database of its own, or upgrade alerter"
        return Finding("error", subject, f"its schema is {state}", remedy)
    path = store.sqlite_path()
    if path is not None and path.exists() and path.stat().st_mode & 0o004:
        return Finding("warning", subject, "everybody on this machine can read its file", f"`chmod o= {path}*`")
    texts = {"empty": "will be created by the first start", "behind": "will be migrated by the next start"}
    return Finding("ok", subject, texts.get(state, "its schema is current"))


def check_network(services: Services) -> Iterator[Finding]:
    """Yield what the tracking servers and the notifiers' services say; sends nothing to anybody."""
    for source in services.sources:
        yield from _source(source)
    targets: dict[str, list[Target]] = {}
    for receiver in services.config.receivers:
        for kind, settings in receiver.channels.items():
            targets.setdefault(kind, []).append(Target(receiver.name, settings))
    for kind, notifier in services.notifiers.items():
        if kind != "slack" or services.config.secrets.slack_bot_token is not None:  # else that was said already
            yield from notifier.check(targets.get(kind, ()))


def _source(source: RunSource) -> list[Finding]:
    try:
        return source.check()
    except Exception as error:  # noqa: BLE001 - one that answers like nothing we know must not hide the other findings
        text = f"its answer is not understood ({type(error).__name__})"
        return [Finding("error", f"source {source.name}", text, "check that tracking_uri is an MLflow 3 server")]


def check_matches(services: Services) -> Iterator[Finding]:
    """Yield a warning for each budget that no known run matches, with what is close."""
    with services.windows.read() as view:
        known = list(view.interner.tag_sets.all(view.connection).values())
    tag_sets = known or list(_sampled(services))
    if not tag_sets:
        return
    cleaning = services.config.tags
    cleaned = [cleaning.clean_all(tags) for tags in tag_sets]
    for budget in services.config.budgets:
        if not any(scope_of(budget, tags) is not None for tags in cleaned):
            yield unmatched(budget, tag_sets, cleaning)


def _sampled(services: Services) -> Iterator[Pairs]:
    for source in services.sources:
        request = PollRequest("", frozenset(), 0, 0)
        batches = source.poll(request)
        try:
            for batch in islice(batches, _SAMPLED_BATCHES):
                yield from {run.tags for run in batch.runs}
        except Exception:  # noqa: BLE001, S112 - what is wrong with it is a finding of its own
            continue


def unmatched(budget: Budget, tag_sets: Sequence[Pairs], cleaning: TagCleaning) -> Finding:
    """Return the warning of a budget that matches none of some tag sets, with what is close."""
    values: dict[str, set[str]] = {}
    for tags in tag_sets:
        for key, value in cleaning.clean_all(tags).items():
            values.setdefault(key, set()).add(value)
    remedy = "look at `match:`; runs that come later will count"
    for key, patterns in budget.match:
        if key not in values:
            close = get_close_matches(key, values, n=1)
            remedy = f"no run has a tag {key!r}" + (f"; did you mean {close[0]!r}?" if close else "")
            break
        near = [match for pattern in patterns for match in get_close_matches(pattern, values[key], n=1)]
        if near and not set(patterns) & values[key]:
            remedy = f"no run has {key}: {', '.join(patterns)}; did you mean {near[0]!r}?"
            break
    return Finding("warning", f"budget {budget.name}", "matches no run", f"{budget.source}: {remedy}".strip(": "))


def _secrets(config: Config) -> Iterator[Finding]:
    kinds = {kind for receiver in config.receivers for kind in receiver.channels}
    for kind in sorted(kinds & _SECRETS.keys()):
        for name, consequence in _SECRETS[kind]:
            yield _secret(config, name, consequence, level="error" if kind == "slack" else "warning")
    if "slack" in kinds:
        socket = config.slack.mode == "socket"
        name = "slack_app_token" if socket else "slack_signing_secret"
        yield _secret(config, name, f"{config.slack.command} and the buttons don't work", level="warning")
    if "email" in kinds and config.email is None:
        remedy = "add `email: {host: ..., from: ...}` to alerter.yaml"
        yield Finding("error", "email", "a receiver wants e-mail, but no server is configured", remedy)


def _named(config: Config) -> Iterator[Finding]:
    """Yield the secrets that receivers name, and whether what they need is installed."""
    for receiver in config.receivers:
        for kind, settings in receiver.channels.items():
            for name in filter(None, map(settings.get, ("url_from", "secret"))):
                if name not in config.receiver_secrets:
                    yield _unset(name, f"receiver {receiver.name} gets nothing by {kind}", level="error")
                else:
                    yield Finding("ok", name, "is set")
    if any("apprise" in each.channels for each in config.receivers) and find_spec("apprise") is None:
        yield Finding("error", "apprise", "is not installed", 'pip install "mlflow-alerter[apprise]"')


def _secret(config: Config, name: str, consequence: str, *, level: str) -> Finding:
    if getattr(config.secrets, name) is not None:
        return Finding("ok", name.upper(), "is set")
    return _unset(name.upper(), consequence, level=level)


def _unset(name: str, consequence: str, *, level: str) -> Finding:
    remedy = f"set it in the environment, or as the file {name.lower()} in $CREDENTIALS_DIRECTORY or /run/secrets"
    return Finding(level, name, f"is not set: {consequence}", remedy)


def _web(config: Config) -> Iterator[Finding]:
    token = config.secrets.alerter_web_token
    if token is not None and len(token.get_secret_value()) < _SHORT:
        text = f"has fewer than {_SHORT} characters: who reaches the page may guess it"
        yield Finding("warning", "ALERTER_WEB_TOKEN", text, "take a longer one, from `openssl rand -hex 24`")
    if config.web.host not in {"127.0.0.1", "::1", "localhost"} and config.secrets.alerter_web_token is None:
        remedy = "set ALERTER_WEB_TOKEN, or listen on 127.0.0.1"
        yield Finding("warning", "web", f"anyone who reaches {config.web.listen} can read the page", remedy)


def _links(config: Config) -> Iterator[Finding]:
    """Yield which links people will miss in messages that they read elsewhere than on this machine."""
    if all(set(each.channels) <= {"console"} for each in config.receivers):
        return
    if config.web.public_url is None:
        remedy = "set web.public_url in alerter.yaml to the page's address as people reach it"
        yield Finding("warning", "links", "messages have no link to the page", remedy)
    for source in config.sources:
        host = urlsplit(source.ui_url).hostname or ""
        if not source.ui_url or host in {"localhost", "127.0.0.1", "::1"}:
            text = (
                f"runs of {source.name} link to {source.ui_url}"
                if source.ui_url
                else f"runs of {source.name} have none"
            )
            remedy = f"set ui_url of source {source.name} to MLflow's address as people reach it"
            yield Finding("warning", "links", text, remedy)


def _storage(config: Config) -> Iterator[Finding]:
    """Yield which budgets ask for storage that is not counted."""
    if config.prices.rules.storage_per_gib_month is None:
        text = "counts no storage: it has no price, and no artifact is listed"
        remedy = "add `storage: {per_gib_month: ...}` to prices.yaml"
    elif not config.storage.wanted(config.budgets):
        text = "counts no storage: it is switched off"
        remedy = "remove `storage: {enabled: false}` from alerter.yaml"
    else:
        return
    for budget in config.budgets:
        if "storage" in budget.components:
            yield Finding("warning", f"budget {budget.name}", text, f"{budget.source}: {remedy}".strip(": "))


def _mentions(config: Config) -> Iterator[Finding]:
    """Yield the handles that are only text in Slack: it notifies by id."""
    if not any("slack" in each.channels for each in config.receivers):
        return
    for budget in config.budgets:
        for handle in dict.fromkeys(each.mention for each in budget.thresholds if each.mention):
            if not notifies(handle):
                remedy = "write a member's id (U..., in their profile), a group's (S...), or @here"
                text = f"mention {handle} notifies nobody in Slack"
                yield Finding("warning", f"budget {budget.name}", text, f"{budget.source}: {remedy}".strip(": "))


def _receivers(config: Config) -> Iterator[Finding]:
    for budget in config.budgets:
        scope = tuple((key, "") for key in budget.group_by)
        if not receivers_for(budget.receivers, scope, config.receiver_names):
            text = "scopes without a receiver of their own are told to nobody"
            remedy = f"{budget.source}: end `receivers:` with a plain name, such as {config.receivers[0].name}"
            yield Finding("warning", f"budget {budget.name}", text, remedy.strip(": "))
