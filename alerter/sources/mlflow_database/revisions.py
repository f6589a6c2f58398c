"""Which schemas of MLflow's database are known: Alembic's revision ids, by the releases that end in them.

From ``mlflow/store/db_migrations/versions`` of the published wheels. A revision between two releases is known too: the
columns that are read stand in all of them.
"""

from __future__ import annotations

from typing import Final

RELEASES: Final[dict[str, str]] = {
    "c3d6457b6d8a": "3.11",
    "7d34483879f0": "3.12",
    "da6fb0208061": "3.13",
    "b7e4c1a90f23": "3.14",
    "6f8d9c3b2a1e": "3.15",
    "b7e2c1a4d9f3": "3.16",
    "dc11669786a5": "3.17",
}
"""The last revision of each release, in order."""

KNOWN: Final[tuple[str, ...]] = (
    "c3d6457b6d8a",
    "a5b4c3d2e1f0",
    "ae8bbe7743c9",
    "7d34483879f0",
    "da6fb0208061",
    "89d3d66ed43f",
    "b7e4c1a90f23",
    "a8b9c0d1e2f3",
    "c1d2e3f4a5b6",
    "c3d9e7f1a2b4",
    "6f8d9c3b2a1e",
    "1971f2d9a75b",
    "17e22815139b",
    "b7e2c1a4d9f3",
    "75868b020152",
    "dc11669786a5",
)
"""Every revision whose tables are read, oldest first."""

# fmt: off
OLDER: Final = frozenset(
    {
        "451aebb31d03", "90e64c465722", "181f10493468", "df50e92ffc5e", "7ac759974ad8", "89d4b8295536",
        "2b4d017a5e9b", "cfd24bdc0731", "0a8213491aaa", "728d730b5ebd", "27a6a02d2cf1", "84291f40a231",
        "a8c4a736bde6", "39d1c3be5f05", "c48cb773bb87", "bd07f7e963c5", "0c779009ac13", "cc1f77228345",
        "97727af70f4d", "3500859a5d39", "7f2a7d5fae7d", "2d6e25af4d3e", "acf3f17fdcc7", "867495a8f9d4",
        "5b0e9adcef9c", "4465047574b1", "f5a4f2784254", "0584bdc529eb", "400f98739977", "6953534de441",
        "bda7b8c39065", "cbc13b556ace", "770bee3ae1dd", "a1b2c3d4e5f6", "de4033877273", "1a0cddfcaa16",
        "534353b11cbc", "71994744cf8e", "3da73c924c2f", "bf29a5ff90ea", "1bd49d398cd23", "b7c8d9e0f1a2",
        "5d2d30f0abce", "c9d4e5f6a7b8", "2c33131f4dae", "d3e4f5a6b7c8", "d0e1f2a3b4c5", "c8d9e0f1a2b3",
        "1b5f0d9ad7c1", "e1f2a3b4c5d6", "76601a5f987d",
    }
)
# fmt: on
"""Those of releases before 3.11, MLflow 1.x and 2.x among them."""

WITH_TRACE_COLUMNS: Final = frozenset(KNOWN[KNOWN.index("75868b020152") :])
"""Those in which a trace's tokens and cost are columns of ``trace_info``, and no longer metadata."""

NAMES: Final = f"MLflow {next(iter(RELEASES.values()))} to {list(RELEASES.values())[-1]}"


def release_of(revision: str) -> str:
    """Return the MLflow release that has a known revision: the first that includes it."""
    later = KNOWN[KNOWN.index(revision) :]
    return next(RELEASES[each] for each in later if each in RELEASES)


def why_unknown(revision: str) -> tuple[str, str]:
    """Return why a schema is not read and what to do about it; ``("", "")`` for one that is."""
    if revision in KNOWN:
        return "", ""
    if revision in OLDER:
        text = f"its schema {revision} is of an MLflow before {next(iter(RELEASES.values()))}"
        return text, "Back it up, upgrade MLflow, then run: mlflow db upgrade"
    return f"its schema {revision or '(none)'} is of no MLflow that is known ({NAMES} are)", "Upgrade alerter."
