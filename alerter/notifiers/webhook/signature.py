"""Signed as the Standard Webhooks specification has it, so that its libraries can verify it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

_PREFIX = "whsec_"


def event_id(*parts: str) -> str:
    """Return what an event is recognised by, in a header too, whatever the parts hold."""
    return f"msg_{hashlib.sha256('#'.join(parts).encode('utf-8', 'replace')).hexdigest()[:40]}"


def signature(secret: str, event: str, at_s: int, body: bytes) -> str:
    """Return ``v1,<base64 of HMAC-SHA256>`` over ``event.at_s.body``; one for each of the secret's words.

    Two secrets with a space between are for the time in which a receiver changes from one to the other.

    Raises:
        ValueError: a secret that begins with ``whsec_`` is no base64 after it.
    """
    signed = b".".join((event.encode(), str(at_s).encode(), body))
    made = [hmac.new(_key(word), signed, hashlib.sha256).digest() for word in secret.split()]
    return " ".join(f"v1,{base64.b64encode(each).decode()}" for each in made)


def _key(word: str) -> bytes:
    if not word.startswith(_PREFIX):
        return word.encode()
    try:
        return base64.b64decode(word.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a secret that begins with whsec_ must go on in base64") from None
