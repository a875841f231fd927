"""What is said of a network: problems, which stop its training, and advice, which does not."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.layers.base import Fix


@dataclass(frozen=True)
class Problem:
    """What stops the network from training: one sentence, and what would fix it."""

    node_id: str | None
    """The faulty layer; None for the network as a whole."""
    message: str
    """What is wrong, without the fix."""
    fixes: tuple[Fix, ...] = ()
    """What would fix it, the best one first."""
    why: str = ""
    """Why it matters, in one sentence; empty where the message says so itself."""

    @property
    def fix(self) -> Fix | None:
        """The best fix."""
        return self.fixes[0] if self.fixes else None

    @property
    def sentence(self) -> str:
        """What is wrong and what to do: `Dense takes …, but gets …: insert Flatten before it`."""
        return f"{self.message}: {self.fixes[0].advice}" if self.fixes else self.message


@dataclass(frozen=True)
class Advice:
    """One thing that could be better, why, and what would make it so."""

    node_id: str | None
    """The layer that it is about; None for the network as a whole."""
    key: str
    """The rule and the layer: the same for as long as the advice is, so that it can be dismissed."""
    message: str
    why: str
    """One sentence of reason."""
    fix: Fix | None = None

    @property
    def fixes(self) -> tuple[Fix, ...]:
        """The same as for a problem, which may have several."""
        return () if self.fix is None else (self.fix,)

    @property
    def sentence(self) -> str:
        """What could be better and what to do."""
        return self.message if self.fix is None else f"{self.message}: {self.fix.advice}"
