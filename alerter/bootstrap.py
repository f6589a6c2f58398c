"""Configuration -> wired services, straight-line."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from threading import Event

from pydantic import SecretStr

from alerter.briefing import Describer, Links
from alerter.config import Config, SourceConfig
from alerter.core.logged_cost import cost_keys
from alerter.core.multipliers import tags_of
from alerter.core.ports import Notifier, PriceBook, RunSource
from alerter.core.pricing import check_currency
from alerter.core.resources import usage_keys
from alerter.pricer import Pricer
from alerter.recording import Recorder
from alerter.registry import NOTIFIERS, PRICE_BOOKS, SOURCES, load
from alerter.services import Fence, Ledger, Services, unfenced
from alerter.storage import StorageRecorder
from alerter.storage.levels import Levels
from alerter.store.budgets import sync_budgets, synced_ids, taken_ids
from alerter.store.engine import Store
from alerter.store.interning import Interner
from alerter.tokens import TokenRecorder
from alerter.tokens.prices import TokenPrices

log = logging.getLogger(__name__)


def wire(
    config: Config,
    store: Store,
    *,
    now_ms: int,
    stop: Event | None = None,
    reading: bool = False,
    fence: Fence = unfenced,
) -> Services:
    """Return services for a configuration, after bringing the stored budgets in line with it.

    Nothing is contacted but the database. With ``reading`` nothing is written either: another process may be adding to
    the totals by its own configuration, and what it has not taken is left out. ``fence`` guards every later write.

    Raises:
        StoreError: the database can't be written.
        PriceBookError: a price catalog can't be read, or the extra ``llm`` is missing where tokens are charged.
        CurrencyMismatchError: a catalog's currency isn't the configured one.
    """
    stop = stop or Event()
    ids = _taken(config, store) if reading else _synced(config, store, now_ms, fence)
    budgets = {ids[budget.id]: budget for budget in config.budgets if budget.id in ids}
    ledger = Ledger(store, budgets, config, adds=not reading, fence=fence)
    pricer = make_pricer(config)
    sources = [make_source(config, each, stop) for each in config.sources]
    links = Links({source.name: source.run_url for source in sources}, config.web.public_url or "")
    return Services(
        config=config,
        store=store,
        ledger=ledger,
        windows=Ledger(store, budgets, config, adds=False),
        sources=sources,
        pricer=pricer,
        recorder=make_recorder(config, ledger, pricer),
        describer=Describer(links, pricer, config.alerts.coverage_floor_percent),
        notifiers=make_notifiers(config, stop),
        receivers={each.name: each for each in config.receivers},
        tokens=make_tokens(config, ledger),
        storage=make_storage(config, ledger),
    )


def _synced(config: Config, store: Store, now_ms: int, fence: Fence) -> dict[str, int]:
    with store.read() as connection:
        ids = synced_ids(connection, config.budgets, config.tags)
    if ids is not None:
        return ids
    with store.write() as connection:
        fence(connection)
        return sync_budgets(connection, config.budgets, config.tags, Interner(), now_ms, revision=config.revision)


def are_outdated(services: Services) -> bool:
    """Whether whoever polls has taken other budgets since these services, which only read, were wired.

    Raises:
        StoreError: the database can't be read.
    """
    return set(_taken(services.config, services.store).values()) != set(services.ledger.budgets)


def _taken(config: Config, store: Store) -> dict[str, int]:
    with store.read() as connection:
        return taken_ids(connection, config.budgets, config.tags)


def warm_up() -> None:
    """Import what a first poll needs: seconds of a busy machine that nobody would poll in after a take-over."""
    from mlflow.utils import rest_utils  # noqa: F401, PLC0415


def make_books(config: Config) -> list[PriceBook]:
    """Return the configured catalogs, in the order in which they are asked.

    Raises:
        PriceBookError: one can't be read.
        CurrencyMismatchError: one is in another currency than the configured one.
    """
    books: list[PriceBook] = []
    for spec in config.prices.catalogs:
        kind = load(PRICE_BOOKS, spec.kind)
        books.append(kind(spec.path) if spec.path is not None else kind())
    check_currency(config.prices.rules, books)
    return books


def make_pricer(config: Config) -> Pricer:
    """Return the price configuration as one function."""
    return Pricer(
        config.prices.rules,
        make_books(config),
        config.usage_keys,
        max_nodes=config.metering.max_nodes,
        cleaning=config.tags,
        machines=config.machines,
    )


def make_tokens(config: Config, ledger: Ledger) -> TokenRecorder | None:
    """Return what charges the tokens of traces, None where neither a budget nor the configuration asks for it.

    Raises:
        PriceBookError: the extra ``llm`` is not installed.
        CurrencyMismatchError: prices are configured in another currency than that of token prices.
    """
    if not config.tokens.wanted(config.budgets):
        return None
    rules = config.prices.rules
    keys = _budget_tags(config) | tags_of(rules.multipliers)
    return TokenRecorder(ledger.interner, ledger.attribution, TokenPrices(rules, config.tags), keys)


def make_storage(config: Config, ledger: Ledger) -> StorageRecorder:
    """Return what charges stored bytes, which are looked for only where they are asked for and have a price."""
    rules = config.prices.rules
    wanted = config.storage.wanted(config.budgets) and rules.storage_per_gib_month is not None
    levels = Levels(ledger.interner, ledger.attribution, rules, config.tags, _budget_tags(config))
    return StorageRecorder(ledger.interner, levels, wanted=wanted, resweep_ms=round(config.poll.resweep_s * 1000))


def _budget_tags(config: Config) -> frozenset[str]:
    """Return the tags that budgets name."""
    return frozenset(key for budget in config.budgets for key in (*budget.group_by, *(key for key, _ in budget.match)))


def make_recorder(config: Config, ledger: Ledger, pricer: Pricer) -> Recorder:
    """Return what writes observations into the ledger."""
    free = config.metering.nested == "free"
    return Recorder(ledger.interner, ledger.attribution, pricer, config.metering.patience, free=free)


def make_source(config: Config, source: SourceConfig, stop: Event) -> RunSource:
    """Return one source; it connects when it is first asked."""
    poll = config.poll
    kind, more = "mlflow", {}
    if source.backend_store is not None:
        kind, more = "backend_store", {"backend_store": source.backend_store}
    made: RunSource = load(SOURCES, kind)(
        name=source.name,
        tracking_uri=source.tracking_uri,
        ui_url=source.ui_url,
        include=source.experiments.include,
        exclude=source.experiments.exclude,
        history_from=source.history_from,
        usage_keys=usage_keys(config.usage_keys),
        cost_keys=frozenset(cost_keys(config.prices.rules.logged_cost)),
        tag_keys=_budget_tags(config) | config.prices.rules.tag_keys,
        page_size=poll.page_size,
        concurrency=poll.concurrency,
        timeout_s=poll.timeout_s,
        poll_every_s=poll.every_s,
        overlap_s=poll.overlap_s,
        resweep_s=poll.resweep_s,
        share=poll.background_share,
        stop=stop,
        **more,
    )
    return made


def make_notifiers(config: Config, stop: Event) -> Mapping[str, Notifier]:
    """Return a notifier of each kind that some receiver uses and that can be made."""
    makers: dict[str, Callable[[], Notifier | None]] = {
        "slack": lambda: load(NOTIFIERS, "slack")(
            _text(config.secrets.slack_bot_token), base_url=config.slack.base_url, stop=stop
        ),
        "email": lambda: _email(config),
        "webhook": lambda: load(NOTIFIERS, "webhook")(_named(config)),
        "apprise": lambda: load(NOTIFIERS, "apprise")(_named(config)),
        "console": lambda: load(NOTIFIERS, "console")(),  # noqa: PLW0108 - imported only if it is wanted
    }
    kinds = {kind for receiver in config.receivers for kind in receiver.channels}
    made = {kind: make() for kind, make in makers.items() if kind in kinds}
    return {kind: notifier for kind, notifier in made.items() if notifier is not None}


def _email(config: Config) -> Notifier | None:
    email = config.email
    if email is None:
        return None
    tls = None
    if email.ca_file:
        import ssl  # noqa: PLC0415 - only a private certificate authority needs it here

        tls = ssl.create_default_context(cafile=email.ca_file)
    made: Notifier = load(NOTIFIERS, "email")(
        email.host,
        email.port,
        sender=email.sender,
        starttls=email.starttls,
        username=_text(config.secrets.smtp_username),
        password=_text(config.secrets.smtp_password),
        timeout=email.timeout_s,
        tls=tls,
    )
    return made


def _named(config: Config) -> dict[str, str]:
    return {name: secret.get_secret_value() for name, secret in config.receiver_secrets.items()}


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
