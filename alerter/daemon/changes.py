"""What a reload finds: what is wrong with the files, and what takes effect only after a restart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from alerter.config import Config, Problem
from alerter.core.alerts import Message, MessageKind

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Findings:
    """What a reload has to tell.

    Attributes:
        problems: of the files, each with its place; they keep their last good version.
        restart: settings whose change takes effect only after a restart.
        owners: receivers that are told of mistakes in files of their own, each with those problems.
    """

    problems: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    owners: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def parts(self) -> dict[str, Findings]:
        """Return what each receiver is told: ``""``, the operators', all of it, an owner's what is in its files."""
        return {"": self, **{name: Findings(problems) for name, problems in self.owners}}

    @property
    def digest(self) -> str:
        """What tells these findings from others; ``""`` where there are none."""
        lines = (*self.problems, *self.restart)
        return sha256("\n".join(lines).encode()).hexdigest()[:24] if lines else ""

    def sentences(self) -> list[str]:
        """Return one sentence each, for the page."""
        kept = [f"configuration: {each} (its last good version stays in force)" for each in self.problems]
        return [*kept, *(f"{each} takes effect after a restart" for each in self.restart)]

    def notice(self, at_ms: int) -> Message:
        """Return what the operators are told."""
        lines = [*self.problems[:_SHOWN], *_more(self.problems)]
        if self.problems:
            lines.append("What is wrong keeps its last good version; the rest has taken effect.")
        lines += [f"{each} takes effect after a restart." for each in self.restart]
        title = "The configuration has errors" if self.problems else "A changed setting needs a restart"
        return Message(MessageKind.OPERATOR, title=title, text="\n".join(lines), at_ms=at_ms)


def owners_of(problems: Sequence[Problem], operators: Mapping[Path, str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the problems of each receiver that is told of mistakes in some file, by the last good versions."""
    found: dict[str, list[str]] = {}
    for each in problems:
        if each.path in operators:
            found.setdefault(operators[each.path], []).append(str(each))
    return tuple((name, tuple(lines)) for name, lines in sorted(found.items()))


def needs_restart(running: Config, new: Config) -> tuple[str, ...]:
    """Return the settings that differ from those which the process was started with and can't be exchanged."""
    pairs = (
        ("`database`", running.database, new.database),
        ("`web.listen`", running.web.listen, new.web.listen),
        ("`slack.mode`", running.slack.mode, new.slack.mode),
        ("`slack.base_url`", running.slack.base_url, new.slack.base_url),
        ("SLACK_APP_TOKEN", running.secrets.slack_app_token, new.secrets.slack_app_token),
    )
    return tuple(name for name, old, now in pairs if old != now)


def _more(problems: Sequence[str]) -> Iterable[str]:
    if len(problems) > _SHOWN:
        yield f"and {len(problems) - _SHOWN} more"
