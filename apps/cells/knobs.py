"""What visitors set in the lessons: numbers within limits, or a sentence that says why not."""

import math

from shared.errors import UserError as KnobError


def number(name, value, low, high):
    """A finite number from `low` to `high`.

    Args:
        name: What the page calls the knob, first in the sentence.
        value: A number, or text from a link.

    Raises:
        KnobError: if it is none; the message says what would work.
    """
    try:
        value = float(value)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise KnobError(f"{name} needs a number from {low:g} to {high:,.10g}.")
    if not low <= value <= high:
        raise KnobError(f"{name} is {value:,.10g}; it must lie between {low:g} and {high:,.10g}.")
    return value


def whole(name, value, low, high):
    """A whole number from `low` to `high`; arguments and errors as for `number`."""
    value = number(name, value, low, high)
    if value != int(value):
        raise KnobError(f"{name} is {value:g}; it must be a whole number.")
    return int(value)


def one_of(name, value, options):
    """One of `options`.

    Raises:
        KnobError: if it is none; the message lists them.
    """
    if value not in options:
        raise KnobError(f"{name} must be one of {', '.join(options)}.")
    return value
