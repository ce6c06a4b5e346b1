"""What a job is: the one place where identity becomes an id.

The golden ids in the tests hold this module still: a change here makes every earlier result an orphan.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

#: 13 characters of base 32: 65 bits. Two of a million jobs share one with a chance of 1 in 70 million.
ID_CHARS = 13


def digest(identity: Any) -> str:
    """SHA-256 of the canonical JSON of an identity, in lower-case base 32 (52 characters).

    >>> digest({"b": [1], "a": "x"}) == digest({"a": "x", "b": [1]})
    True
    """
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    raw = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return base64.b32encode(raw).decode().lower().rstrip("=")


def job_id(node: str, full_digest: str) -> str:
    """`<node>_id_<hash>`."""
    return f"{node}_id_{full_digest[:ID_CHARS]}"
