"""What Slack accepts: its Block Kit limits, checked before a message is sent (the emulators don't)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Block = dict[str, Any]
"""One Block Kit block, as it goes over the wire."""

MAX_BLOCKS = 50
HEADER_LIMIT = 150
SECTION_LIMIT = 3000
FIELD_LIMIT = 2000
MAX_FIELDS = 10
BUTTON_LIMIT = 75
VALUE_LIMIT = 2000
ACTION_ID_LIMIT = 255
BLOCK_ID_LIMIT = 255
URL_LIMIT = 3000
MAX_OPTIONS = 100
OPTION_LIMIT = 75
OPTION_VALUE_LIMIT = 75
"""Slack's page says 150 by now; its own client library still holds to 75."""

PLACEHOLDER_LIMIT = 150
CONTEXT_ELEMENTS = 10
ACTIONS_ELEMENTS = 25
TEXT_LIMIT = 4000
"""Of the fallback; Slack cuts at 40,000 but advises 4,000."""


def problems(blocks: Sequence[Block], text: str, *, models: bool = True) -> list[str]:
    """Return why Slack would refuse or cut a message: one line each, empty if it is fine.

    Without ``models`` only by the limits above: asking slack_sdk's too takes as long as all else about a message.
    """
    found = [f"{len(blocks)} blocks, Slack takes {MAX_BLOCKS}"] if len(blocks) > MAX_BLOCKS else []
    found += _length("text", text, TEXT_LIMIT, least=1)
    found += _repeated("block_id", [each["block_id"] for each in blocks if "block_id" in each])
    for number, block in enumerate(blocks):
        found += [f"block {number}: {each}" for each in (*_block(block), *(_model(block) if models else ()))]
    return found


def _block(block: Block) -> list[str]:
    found = _length("block_id", block.get("block_id", "-"), BLOCK_ID_LIMIT, least=1)
    match block.get("type"):
        case "header":
            return found + _header(block)
        case "section":
            return found + _section(block)
        case "context":
            return found + _context(block)
        case "actions":
            return found + _actions(block.get("elements", []))
        case "divider":
            return found
        case other:
            return [*found, f"unknown type {other!r}"]


def _header(block: Block) -> list[str]:
    text = block.get("text", {})
    wrong = [] if text.get("type") == "plain_text" else ["a header takes plain_text only"]
    return wrong + _length("header", text.get("text", ""), HEADER_LIMIT, least=1)


def _section(block: Block) -> list[str]:
    text, fields = block.get("text"), block.get("fields", [])
    found = [] if text or fields else ["a section needs text or fields"]
    if text:
        found += _length("section", text["text"], SECTION_LIMIT, least=1)
    if len(fields) > MAX_FIELDS:
        found.append(f"{len(fields)} fields, Slack takes {MAX_FIELDS}")
    for field in fields:
        found += _length("field", field["text"], FIELD_LIMIT, least=1)
    return found + (_button(block["accessory"]) if "accessory" in block else [])


def _context(block: Block) -> list[str]:
    elements = block.get("elements", [])
    found = [] if 1 <= len(elements) <= CONTEXT_ELEMENTS else [f"{len(elements)} context elements"]
    for each in elements:
        found += _length("context", each["text"], SECTION_LIMIT, least=1)
    return found


def _actions(elements: Sequence[Mapping[str, Any]]) -> list[str]:
    found = [] if 1 <= len(elements) <= ACTIONS_ELEMENTS else [f"{len(elements)} actions"]
    found += _repeated("action_id", [each.get("action_id", "") for each in elements])
    for each in elements:
        found += _select(each) if each.get("type") == "static_select" else _button(each)
    return found


def _select(select: Mapping[str, Any]) -> list[str]:
    options = select.get("options", [])
    found = [] if 1 <= len(options) <= MAX_OPTIONS else [f"{len(options)} options, Slack takes 1 to {MAX_OPTIONS}"]
    found += _length("placeholder", select.get("placeholder", {}).get("text", "-"), PLACEHOLDER_LIMIT, least=1)
    found += _length("action_id", select.get("action_id", ""), ACTION_ID_LIMIT, least=1)
    for each in options:
        found += _length("option", each["text"]["text"], OPTION_LIMIT, least=1)
        found += _length("option's value", each["value"], OPTION_VALUE_LIMIT, least=1)
    return found


def _button(button: Mapping[str, Any]) -> list[str]:
    return [
        *_length("button", button["text"]["text"], BUTTON_LIMIT, least=1),
        *_length("value", button.get("value", ""), VALUE_LIMIT),
        *_length("action_id", button.get("action_id", ""), ACTION_ID_LIMIT, least=1),
        *_length("url", button.get("url", ""), URL_LIMIT),
    ]


def _model(block: Block) -> list[str]:
    # Slack's own models know a second half of the rules; both have gaps.
    from slack_sdk.errors import SlackObjectFormationError  # noqa: PLC0415 - slow to import
    from slack_sdk.models.blocks import Block as Model  # noqa: PLC0415

    parsed = Model.parse(block)
    if parsed is None:
        return ["slack_sdk can't read it"]
    try:
        parsed.validate_json()
    except SlackObjectFormationError as error:
        return [str(error)]
    return []


def _length(name: str, text: str, limit: int, *, least: int = 0) -> list[str]:
    return [] if least <= len(text) <= limit else [f"{name} has {len(text)} characters, Slack takes {least} to {limit}"]


def _repeated(name: str, values: Sequence[str]) -> list[str]:
    return [] if len(set(values)) == len(values) else [f"a {name} stands twice"]
