"""Tokens without a price are told wherever a budget that counts them is; a line in prices.yaml gives them one."""

from pathlib import Path

from alerter.core.digest_wording import digest_lines
from alerter.page_data import page_data
from alerter.slack_requests.tables import budgets
from alerter.status import budget_status
from alerter.store.messages import decode
from alerter.tokens.prices import TokenPrices
from alerter.unpriced import models_json, unpriced_models
from alerter.web.page import render_status
from tests.tokens.test_reading import BUDGETS, T0, trace, traced
from tests.truth.ledgers import DAY, HOUR, config_of


def test_tokens_without_a_price_are_told_in_the_row_of_each_budget(migrated_sqlite: Path) -> None:
    unknown = trace(2, model="our-own-llm", inside=900_000, out=0)
    with traced(migrated_sqlite, [[trace(1), unknown, trace(3, T0 - 2 * DAY, "our-own-llm", 7)]]) as made:
        made.cycle(T0 + HOUR)
        with made.services.windows.read() as view:
            rows = {row.title: row for row in budget_status(view, T0 + HOUR)}
            page = render_status(page_data(made.services, view, T0 + HOUR, ()))
    told = {title: row.unpriced_tokens for title, row in rows.items()}
    assert told == {"llm": 900_000, "machines": 0, "nlp": 900_017, "vision": 0}
    assert {title: row.priced_cell() for title, row in rows.items()} == {
        "llm": "not 900,000 tokens",
        "machines": "0 %",  # the run logged no machine
        "nlp": "not 900,017 tokens",
        "vision": "0 %",
    }
    assert "no price for 900,000 LLM tokens" in page
    assert any("no price for 900,000 LLM tokens" in line for line in budgets([rows["llm"]], none="").lines)


def test_an_alert_tells_of_tokens_without_a_price(migrated_sqlite: Path) -> None:
    dear = trace(1, model="claude-sonnet-4-5", inside=0, out=10**7)
    with traced(migrated_sqlite, [[dear, trace(2, model="our-own-llm", inside=900_000, out=0)]]) as made:
        made.cycle(T0 + HOUR)
        ((text,),) = made.rows("SELECT message FROM notification")
    told = {each.budget: each.unpriced_tokens for each in decode(str(text)).alerts}
    assert told == {"llm": 900_000, "all": 900_000}


def test_a_digest_tells_of_tokens_without_a_price(migrated_sqlite: Path) -> None:
    extra = 'digests: [{every: daily, receivers: [console], at: "09:00"}]\n'
    with traced(migrated_sqlite, [[trace(2, model="our-own-llm", inside=900_000, out=0)]], extra) as made:
        made.cycle(T0 + HOUR)
        made.cycle(T0 + DAY)
        (text,) = [str(row[0]) for row in made.rows("SELECT message FROM notification")]
    digest = decode(text).digest
    assert digest is not None
    lines = [each for each in digest_lines(digest) if "LLM tokens" in each]
    assert [each.partition(" · ")[0].split()[-1] for each in lines] == ["nlp"]  # the others' day is over
    assert lines[0].endswith("no price for 900,000 LLM tokens")


def test_the_line_that_gives_a_model_a_price_does(migrated_sqlite: Path) -> None:
    unknown = [trace(1, model="our-llm", inside=7, out=0), trace(2, model='a "quoted" one'), trace(3, model="")]
    with traced(migrated_sqlite, [unknown]) as made:
        made.cycle(T0 + HOUR)
        with made.services.windows.read() as view:
            found = unpriced_models(view, T0 + HOUR, limit=9)
            assert [each["tokens"] for each in models_json(found)] == [each.tokens for each in found]
        lines = [each.fix.line for each in found if each.fix]
        assert sorted(each.tokens for each in found) == [7, 1010, 1010]
        assert len(lines) == 2  # nobody knows which model the third one is
        prices = "tokens:\n" + "\n".join(f"  {line.replace('...', '1')}" for line in lines)
        priced = TokenPrices(config_of(made.config.directory, BUDGETS, prices).prices.rules)
    assert [priced.price(each.used[0]).is_gap for each in unknown] == [False, False, True]
