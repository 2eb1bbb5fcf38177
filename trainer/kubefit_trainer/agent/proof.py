"""Proofs that who asks and who answers know the token of the job, which itself never travels.

Each is an HMAC of what is said. A request has a nonce that its answer proves too: no answer fits
another question. A request that somebody has listened to and sends again, from wherever, changes
nothing: a report has a number, the address of its worker and the name of the rendezvous that it is
for, and reading a snapshot is no change.
"""

import hashlib
import hmac
import secrets

NONCE = "KubeFit-Nonce"
"""Header of a request."""
PROOF = "KubeFit-Proof"
"""Header of a request and of an answer to a report."""
LENGTH = hashlib.sha256().digest_size * 2
"""Characters of a proof."""


def nonce() -> str:
    """Another one for every request."""
    return secrets.token_hex(16)


def of_request(token: str, nonce: str, method: str, path: str, body: bytes = b"") -> str:
    """Proof of a request."""
    said = _begun(token, "request", nonce, method, path)
    said.update(body)
    return said.hexdigest()


def of_answer(token: str, nonce: str) -> hmac.HMAC:
    """Proof of the answer to that request, to be updated with its content."""
    return _begun(token, "answer", nonce)


def holds(shown: str, proof: str) -> bool:
    """Whether the proof that was shown is that one; takes as long whatever is wrong with it."""
    return hmac.compare_digest(shown.encode(), proof.encode())


def _begun(token: str, *parts: str) -> hmac.HMAC:
    """Each part has its length before it, so that none can pass for the beginning of the next."""
    head = b"".join(b"%d:%s" % (len(part.encode()), part.encode()) for part in parts)
    return hmac.new(token.encode(), head, hashlib.sha256)
