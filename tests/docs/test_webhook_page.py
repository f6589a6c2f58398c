"""The schema of a webhook's body is that of the program, and the page's own verification verifies what is sent."""

import json
from typing import Any

from alerter.notifiers.webhook.schema import json_schema
from tests.docs.pages import ROOT, snippets

SCHEMA = ROOT / "docs" / "webhook.schema.json"


def test_the_schema_is_the_programs_own() -> None:
    made = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    assert SCHEMA.read_text(encoding="utf-8") == made, (
        "write it anew: json_schema() of alerter.notifiers.webhook.schema"
    )


def test_the_example_has_no_key_that_is_not_sent() -> None:
    (example,) = [json.loads(each.text) for each in snippets("json") if each.place.startswith("docs/webhook.md")]
    schema = json_schema()
    known: dict[str, Any] = schema["properties"]
    assert set(example) == set(known)
    assert set(example["alerts"][0]) <= set(schema["$defs"]["Alert"]["properties"])
