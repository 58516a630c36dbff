"""What goes wrong in a simulation: drawn from a seed and the name of the thing, so that it depends on nothing else.

There is no generator whose state would tie one draw to the order of others: whoever asks about the same thing gets the same answer, and a
wave that is planned otherwise fails otherwise only where it differs.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

WHOLE = 1 << 64


class Chances(msgspec.Struct, frozen=True, kw_only=True):
    """How likely it is that an attempt at a move fails, that a host does not come back, and, per wave, that a guest goes or is born.

    Shares from 0 to 1. Equal values answer equally.
    """

    seed: int = 0
    fail_move: float = 0.0
    fail_host: float = 0.0
    churn: float = 0.0

    def move_fails(self, wave: int, step: str, attempt: int) -> bool:
        """Whether an attempt at a migration fails."""
        return self._falls(self.fail_move, f"move/{wave}/{step}/{attempt}")

    def host_dies(self, wave: int, host: str) -> bool:
        """Whether a host does not come back from its upgrade."""
        return self._falls(self.fail_host, f"host/{wave}/{host}")

    def guest_goes(self, wave: int, guest: str) -> bool:
        """Whether a guest is deleted after a wave."""
        return self._falls(self.churn, f"goes/{wave}/{guest}")

    def guest_comes(self, wave: int, like: str) -> bool:
        """Whether a guest like this one is created after a wave."""
        return self._falls(self.churn, f"comes/{wave}/{like}")

    def pick(self, what: str, among: int) -> int:
        """One of so many things."""
        return self._draw(what) * among // WHOLE

    def _falls(self, share: float, what: str) -> bool:
        return share > 0 and self._draw(what) < share * WHOLE

    def _draw(self, what: str) -> int:
        return int.from_bytes(blake2b(f"{self.seed}/{what}".encode(), digest_size=8).digest(), "big")
