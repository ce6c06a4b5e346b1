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

_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def digest(identity: Any) -> str:
    """SHA-256 of the canonical JSON of an identity, in hex.

    >>> digest({"b": [1], "a": "x"}) == digest({"a": "x", "b": [1]})
    True
    """
    return hashlib.sha256(_canonical(identity).encode("utf-8", "surrogatepass")).hexdigest()


def job_id(node: str, full_digest: str) -> str:
    """`<node>_id_<hash>`, the hash in lower-case base 32.

    >>> job_id("predict", digest({}))
    'predict_id_iqjw7i2vwntyu'
    """
    return f"{node}_id_{base64.b32encode(bytes.fromhex(full_digest[:20])).decode()[:ID_CHARS].lower()}"
