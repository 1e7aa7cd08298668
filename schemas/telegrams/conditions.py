"""Fields that are there only if another one says so: the rules of a telegram, and what breaks them."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.telegrams.fields import Condition, FieldSpec
from schemas.telegrams.vocabulary import Value


class Rule(NamedTuple):
    """A field's condition, and what its deciding field says where the caller gives no value."""

    field: FieldSpec
    condition: Condition
    default: Value | None

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether the field may be there."""
        value = values.get(self.condition.field)
        return self.condition.holds(self.default if value is None else value)


def rules_of(fields: Iterable[FieldSpec]) -> tuple[Rule, ...]:
    """The rules of a telegram with these fields."""
    by_name = {field.name: field for field in fields}
    found = [(field, field.when) for field in by_name.values() if field.when is not None]
    return tuple(Rule(field, when, by_name[when.field].default) for field, when in found if when.field in by_name)


def broken(rules: Iterable[Rule], values: Mapping[str, Value]) -> tuple[FieldSpec, str] | None:
    """The first field that is there and must not be, or must be and is not; and what to say about it."""
    for rule in rules:
        field, decider = rule.field, rule.condition.field
        if field.const is not None:
            continue
        there = values.get(field.name) is not None
        if rule.holds(values):
            if field.required and not there:
                return field, f"is missing, and {decider} says that it is there"
        elif there:
            return field, f"is there, and {decider} says that it is not"
    return None
