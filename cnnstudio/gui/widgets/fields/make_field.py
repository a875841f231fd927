"""The field for a parameter, whatever its kind."""

from __future__ import annotations

from cnnstudio.core.parameters import Choice, Flag, Integer, Number, Pair, Parameter, Sides
from cnnstudio.gui.widgets.fields.choices import ChoiceField, FlagField
from cnnstudio.gui.widgets.fields.numbers import IntegerField, NumberField
from cnnstudio.gui.widgets.fields.sides import PairField, SidesField

Field = IntegerField | NumberField | ChoiceField | FlagField | PairField | SidesField


def make_field(parameter: Parameter) -> Field:
    """The field for a parameter, with the object name `param_<name>`.

    Raises TypeError if there is no field for this kind of parameter.
    """
    field: Field
    match parameter:
        case Integer():
            field = IntegerField(parameter)
        case Number():
            field = NumberField(parameter)
        case Choice():
            field = ChoiceField(parameter)
        case Flag():
            field = FlagField(parameter)
        case Pair():
            field = PairField(parameter)
        case Sides():
            field = SidesField(parameter)
        case _:
            raise TypeError(f"there is no field for a {type(parameter).__name__}")
    field.setObjectName(f"param_{parameter.name}")
    field.setAccessibleName(parameter.label)
    field.setAccessibleDescription(parameter.help)
    return field
