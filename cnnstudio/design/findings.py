"""What is said of a network: problems, which stop its training, and advice, which does not."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.layers.base import Mend


@dataclass(frozen=True)
class Problem:
    """What stops the network from training: one sentence, and what would mend it."""

    node_id: str | None
    """The faulty layer; None for the network as a whole."""
    message: str
    """What is wrong, without the mend."""
    mends: tuple[Mend, ...] = ()
    """What would mend it, the best one first."""
    why: str = ""
    """Why it matters, in one sentence; empty where the message says so itself."""

    @property
    def mend(self) -> Mend | None:
        """The best mend."""
        return self.mends[0] if self.mends else None

    @property
    def sentence(self) -> str:
        """What is wrong and what to do: `Dense takes …, but gets …: insert Flatten before it`."""
        return f"{self.message}: {self.mends[0].advice}" if self.mends else self.message


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
    mend: Mend | None = None

    @property
    def mends(self) -> tuple[Mend, ...]:
        """The same as for a problem, which may have several."""
        return () if self.mend is None else (self.mend,)

    @property
    def sentence(self) -> str:
        """What could be better and what to do."""
        return self.message if self.mend is None else f"{self.message}: {self.mend.advice}"
