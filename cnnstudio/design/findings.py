"""Findings about a network: problems, which prevent training, and advice, which does not."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.layers.base import Fix


@dataclass(frozen=True)
class Problem:
    """Something that prevents the network from being trained."""

    node_id: str | None
    """The faulty layer; None for the network as a whole."""
    message: str
    """What is wrong, as a sentence without its period and without the fix."""
    fixes: tuple[Fix, ...] = ()
    """Possible fixes, the best one first."""
    why: str = ""
    """Why it matters, in one sentence; empty if the message says so."""
    missing: str = ""
    """What is still missing, if nothing is wrong but the network is not finished: `layers`. Else empty.

    While a network is being drawn that is worth no more than a hint.
    """

    @property
    def fix(self) -> Fix | None:
        """The best fix."""
        return self.fixes[0] if self.fixes else None

    @property
    def full_message(self) -> str:
        """What is wrong and what to do: `Dense takes …, but gets …: insert Flatten before it`."""
        return f"{self.message}: {self.fixes[0].instruction}" if self.fixes else self.message


@dataclass(frozen=True)
class Advice:
    """One thing that could be better in a network that can be trained."""

    node_id: str | None
    """The layer that it is about; None for the network as a whole."""
    key: str
    """`rule:node_id`, the same as long as the advice applies. Dismissed advice is remembered by it."""
    message: str
    """What could be better, as a sentence without its period and without the fix."""
    why: str
    """The reason, in one or two sentences."""
    fix: Fix | None = None

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """The fix as a tuple, as a Problem has them."""
        return () if self.fix is None else (self.fix,)

    @property
    def full_message(self) -> str:
        """What could be better and what to do."""
        return self.message if self.fix is None else f"{self.message}: {self.fix.instruction}"
