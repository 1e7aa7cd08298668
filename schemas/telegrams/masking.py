"""What people may see of a telegram's values (PCI DSS 3.3, 3.4)."""

from collections.abc import Mapping

from schemas.telegrams.vocabulary import VOCABULARY, Sensitivity, Value

HIDDEN = "***"
_SHORTEST_PAN = 13  # digits; of a shorter one, ten visible digits would be nearly all


def mask_pan(pan: str) -> str:
    """First six and last four digits with ``*`` between; all ``*`` when it has fewer than 13 digits."""
    if len(pan) < _SHORTEST_PAN:
        return "*" * len(pan)
    return f"{pan[:6]}{'*' * (len(pan) - 10)}{pan[-4:]}"


def masked_by(sensitivities: Mapping[str, Sensitivity], values: Mapping[str, Value]) -> dict[str, Value]:
    """The values with everything hidden that `sensitivities` does not call harmless."""
    return {name: masked_value(sensitivities.get(name, Sensitivity.SECRET), value) for name, value in values.items()}


def masked_plainly(values: Mapping[str, Value]) -> dict[str, Value]:
    """As `masked_by`, by the shared vocabulary alone."""
    return masked_by(_VOCABULARY, values)


_VOCABULARY = {name: term.sensitivity for name, term in VOCABULARY.items()}


def masked_value(sensitivity: Sensitivity, value: Value) -> Value:
    """A value as people may see it."""
    match sensitivity:
        case Sensitivity.NONE:
            return value
        case Sensitivity.PAN:
            return mask_pan(str(value))
        case Sensitivity.SECRET:
            return HIDDEN
