"""What the gallery tells of a template, in words."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.core.formatting import count, duration, percent, rounded
from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.templates import Template

UNMEASURED = "not measured yet"


@dataclass(frozen=True)
class Facts:
    """Sizes and results of a template. `cost` and `result` are its two lines on a card."""

    parameters: str
    macs: str
    layers: str
    takes: str
    accuracy: str
    time: str

    @property
    def cost(self) -> str:
        return f"{self.parameters} parameters · {self.macs} multiply-adds"

    @property
    def result(self) -> str:
        return " · ".join(text for text in (self.accuracy, self.time) if text != UNMEASURED) or UNMEASURED


def facts(template: Template, analysis: Analysis) -> Facts:
    """The words for a template and the analysis of its network."""
    network = template.network
    return Facts(
        rounded(analysis.parameters),
        rounded(analysis.macs),
        count(network.layer_count),
        f"images of {network.input}",
        UNMEASURED if template.accuracy is None else percent(template.accuracy),
        UNMEASURED if template.minutes is None else duration(60 * template.minutes),
    )
