"""The one secret of a machine, and every password that is derived from it.

Owns `<state>/secret`. Refuses to store derived passwords: the same secret and purpose give the same word.
"""

import contextlib
import hmac
import os
import secrets
from pathlib import Path

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is mistaken for something else when read aloud
SECRET_BYTES = 32


def derive(state: Path, purpose: str, *, length: int = 16, alphabet: str = ALPHABET) -> str:
    """Return a word that only who knows the machine's secret can make.

    A purpose names exactly one use, `phone/acme-p10`. 16 letters of the default alphabet carry 79 bits.
    """
    digest = hmac.digest(_secret(state), purpose.encode(), "sha512")
    number = int.from_bytes(digest, "big")
    letters = []
    for _ in range(length):
        number, index = divmod(number, len(alphabet))
        letters.append(alphabet[index])
    return "".join(letters)


def _secret(state: Path) -> bytes:
    # Read for every phone of a change: opened as text it would take ten times as long.
    path = state / "secret"
    with contextlib.suppress(FileNotFoundError):
        return bytes.fromhex(path.read_bytes().decode())
    state.mkdir(parents=True, exist_ok=True)
    aside = state / f".secret.{os.getpid()}.{secrets.token_hex(4)}"
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(SECRET_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(aside, path)  # the first of two that start at once wins; both read its secret
    aside.unlink()
    return bytes.fromhex(path.read_bytes().decode())
