"""Feature maps: the output of a layer for an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnstudio.core.parameters import shorten
from cnnstudio.insight.instrument import Instrument, InstrumentError, Need, Subject, Taking, When
from cnnstudio.insight.maps import FeatureMaps

if TYPE_CHECKING:
    from cnnstudio.training.model import Model


class FeatureMapsInstrument(Instrument):
    name = "feature_maps"
    title = "Feature maps"
    reading = FeatureMaps
    when = frozenset({When.STEPS, When.EPOCH, When.DEMAND})
    needs = frozenset({Need.LAYER, Need.EXAMPLES})
    order = 1

    def take(self, model: Model, subject: Subject) -> Taking:
        from dataclasses import replace
        from functools import reduce

        from cnnstudio.insight.feature_maps import dead_maps, feature_maps
        from cnnstudio.insight.slices import in_slices, require_images

        images, layer = require_images(subject), subject.layer or ""
        image = subject.image % len(images)
        maps = feature_maps(model, images[image : image + 1], layer)
        if maps is None:
            raise InstrumentError(f"The model has no layer “{shorten(layer)}”.")
        found = yield from in_slices(len(images), lambda part: dead_maps(model, images[part], layer))
        dead = reduce(set.intersection, found)
        return replace(maps, image=image, dead=tuple(sorted(dead)))
