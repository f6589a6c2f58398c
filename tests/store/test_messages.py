from dataclasses import replace

import pytest

from alerter.core.alerts import Message, MessageKind
from alerter.store.bulk import query
from alerter.store.engine import Store
from alerter.store.messages import decode, encode


def test_odd_text_survives(store: Store) -> None:
    message = Message(MessageKind.OPERATOR, title="a\x00b 🔥 \u202e <!channel>", text="'; -- \\u0041 \n \ud800 end")
    assert decode(encode(message)) == replace(message, text="'; -- \\u0041 \n ? end")
    with store.write() as connection:
        query(connection, "INSERT INTO meta (name, value) VALUES ('m', ?)", encode(message))


def test_a_message_of_a_later_version_is_still_read() -> None:
    text = '{"kind": "alert", "title": "t", "colour": "red"}'
    assert decode(text) == Message(MessageKind.ALERT, title="t")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "fax"}', '{"kind": "alert", "alerts": [{"id": 1}]}'])
def test_what_is_no_message_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match="not a stored message"):
        decode(text)
