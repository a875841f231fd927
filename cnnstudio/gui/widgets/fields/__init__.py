"""Fields that edit one parameter each, made from its description in `core.parameters`.

All have `value`, `set_value` (which emits no signal) and these signals: `edited` (the new value),
`invalid_input` (why the typed text is invalid, or "") and `finished` (the user has left the field).
Fields for numbers also have `corrected`, after `finished`: what became of invalid text, such as `At most 9.`
"""
