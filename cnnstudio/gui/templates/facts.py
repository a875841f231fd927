"""The facts about a template that the gallery shows, as text."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.core.formatting import format_compact, format_count, format_duration, format_percent
from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.templates import Template

UNMEASURED = "not measured yet"


@dataclass(frozen=True)
class TemplateFacts:
    """Sizes and results of a template. `cost` and `result` are the two lines on its card."""

    parameters: str
    macs: str
    layers: str
    input: str
    accuracy: str
    time: str

    @property
    def cost(self) -> str:
        return f"{self.parameters} parameters · {self.macs} multiply-adds"

    @property
    def result(self) -> str:
        parts = ((self.accuracy, "test accuracy"), (self.time, "training"))
        return " · ".join(f"{text} {name}" for text, name in parts if text != UNMEASURED) or UNMEASURED


def template_facts(template: Template, analysis: Analysis) -> TemplateFacts:
    """The facts about a template; `analysis` is that of its network."""
    network = template.network
    return TemplateFacts(
        format_compact(analysis.parameters),
        format_compact(analysis.macs),
        format_count(network.layer_count),
        str(network.input),
        UNMEASURED if template.accuracy is None else format_percent(template.accuracy),
        UNMEASURED if template.minutes is None else format_duration(60 * template.minutes),
    )
