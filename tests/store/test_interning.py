"""Interned values: the same ids whatever is remembered of them, and memory that does not follow their number."""

from __future__ import annotations

from alerter.core.budgets import Budget, TagCleaning
from alerter.core.periods import PeriodKind, PeriodSpec
from alerter.core.usage import Pairs
from alerter.store.budgets import sync_budgets
from alerter.store.engine import Store
from alerter.store.interning import Interner
from alerter.store.totals import Attribution

ROOM = 10
BUDGET = Budget("teams", "teams", PeriodSpec(PeriodKind.DAILY), "UTC", "USD", (), group_by=("team",))


def test_values_keep_their_ids_however_few_are_remembered(store: Store) -> None:
    sets = [(("run", f"{number}"), ("team", f"t{number % 30}")) for number in range(100)]
    small, large = Interner(ROOM), Interner()
    with store.write() as connection:
        added: dict[Pairs, int] = {}
        for first in range(0, 100, 5):
            added |= small.tag_sets.ids(connection, sets[first : first + 5])
            assert len(small.tag_sets._values) <= ROOM + 5
        assert len(set(added.values())) == 100
        assert small.tag_sets.ids(connection, sets) == added == large.tag_sets.ids(connection, sets)
        assert small.tag_sets.all(connection) == {row_id: value for value, row_id in added.items()}
        assert small.tag_sets.values(connection, [7, 99]) == large.tag_sets.values(connection, [7, 99])
        assert Interner(ROOM).tag_sets.all(connection) == large.tag_sets.all(connection)


def test_scopes_are_the_same_however_few_are_remembered(store: Store) -> None:
    sets = [(("run", f"{number}"), ("team", f"t{number % 30}")) for number in range(100)]
    with store.write() as connection:
        small, large = Interner(ROOM), Interner()
        ids = list(large.tag_sets.ids(connection, sets).values())
        budgets = [(sync_budgets(connection, [BUDGET], TagCleaning(), large, 0)["teams"], BUDGET)]
        few, many = Attribution(budgets, TagCleaning(), small), Attribution(budgets, TagCleaning(), large)
        whole = many.shares(connection, ids)
        assert len({share.scope_id for shares in whole.values() for share in shares}) == 30
        for first in range(0, 100, 5):
            some = ids[first : first + 5]
            assert few.shares(connection, some) == {each: whole[each] for each in some}
        assert few.shares(connection, ids) == whole
