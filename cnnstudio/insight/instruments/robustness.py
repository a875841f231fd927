"""Robustness: how the accuracy falls when images are blurred, noisy, compressed, darker or rotated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import format_percent, pluralize
from cnnstudio.insight.corruptions import CORRUPTIONS, STRENGTHS
from cnnstudio.insight.drawing import bars
from cnnstudio.insight.instrument import (
    Instrument,
    InstrumentError,
    Need,
    Subject,
    Taking,
    labels_of,
    pixels_of,
)
from cnnstudio.insight.reading import Canvas, Reading, array, integer, names, real

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

MAX_IMAGES = 1_000
"""Of more, so many are taken at equal distances: the accuracy is then known to about 3 points."""


@dataclass(frozen=True, eq=False)
class RobustnessReading(Reading):
    """The accuracy on the same images, as they are and made worse."""

    title: ClassVar[str] = "robustness"

    corruptions: tuple[str, ...] = names("corruptions")
    """Names of `insight.corruptions`."""
    clean: float = real(0, 1)
    """The accuracy on the images as they are."""
    accuracy: npt.NDArray[np.float64] = array("float64", "corruptions", STRENGTHS, low=0, high=1)
    """By corruption and strength, the mildest first."""
    images: int = integer()
    """How many were examined."""
    total: int = integer()
    """Of how many these were taken."""

    def validate(self) -> None:
        if not self.corruptions:
            raise self._unsound("has no corruptions")

    @property
    def titles(self) -> tuple[str, ...]:
        """As people read them."""
        known = {each.name: each.title for each in CORRUPTIONS}
        return tuple(known.get(name, name) for name in self.corruptions)

    @property
    def mean(self) -> npt.NDArray[np.float64]:
        """Of each corruption over all strengths, float64 (corruptions,)."""
        found: npt.NDArray[np.float64] = self.accuracy.mean(axis=1)
        return found

    def derived(self) -> dict[str, Any]:
        return {"mean": dict(zip(self.corruptions, self.mean.tolist(), strict=True))}

    def draw(self) -> Canvas:
        """The accuracy of each corruption at each strength, before that on the images as they are."""
        rows = [
            (f"{title} {strength + 1}", float(self.accuracy[index, strength]), self.clean)
            for index, title in enumerate(self.titles)
            for strength in range(STRENGTHS)
        ]
        return bars([("As they are", self.clean, None), *rows])

    def summary(self) -> str:
        if not self.images:
            return "The robustness was measured on no images."
        worst = int(self.accuracy[:, -1].argmin())
        title, lowest = self.titles[worst], format_percent(self.accuracy[worst, -1])
        return (
            f"On {pluralize(self.images, 'image')} as they are the accuracy is {format_percent(self.clean)}, "
            f"and it falls furthest with {title if title.isupper() else title.lower()}, to {lowest} at the "
            "highest strength."
        )


class Robustness(Instrument):
    name = "robustness"
    title = "Robustness"
    reading = RobustnessReading
    needs = frozenset({Need.SPLIT})
    evaluates_anew = True
    needs_probabilities = False
    order = 9

    def take(self, model: Model, subject: Subject) -> Taking:
        from cnnstudio.insight.slices import in_slices, predict_probabilities

        split = subject.split
        if split is None or not len(split):
            raise InstrumentError("There are no labeled images to evaluate on.")
        rows = np.unique(np.linspace(0, len(split) - 1, min(len(split), MAX_IMAGES)).astype(np.intp))
        labels, pixels = labels_of(split)[rows], np.ascontiguousarray(pixels_of(split, rows))
        steps = 1 + len(CORRUPTIONS) * STRENGTHS

        def correct(part: slice) -> int:
            found = predict_probabilities(model, pixels[part], subject.flip)
            return int((found.argmax(1) == labels[part]).sum())

        clean = sum((yield from in_slices(len(rows), correct, (0.0, 1 / steps))))
        counts = np.zeros((len(CORRUPTIONS), STRENGTHS))
        for index, corruption in enumerate(CORRUPTIONS):
            for strength, amount in enumerate(corruption.amounts):
                step = 1 + index * STRENGTHS + strength

                def worse(part: slice, corruption=corruption, amount=amount) -> int:  # type: ignore[no-untyped-def]  # bound now
                    images = corruption.apply(pixels[part], amount, part.start)
                    found = predict_probabilities(model, images, subject.flip)
                    return int((found.argmax(1) == labels[part]).sum())

                done = (step / steps, (step + 1) / steps)
                counts[index, strength] = sum((yield from in_slices(len(rows), worse, done)))
        return RobustnessReading(
            tuple(each.name for each in CORRUPTIONS),
            clean / len(rows),
            counts / len(rows),
            len(rows),
            len(split),
        )
