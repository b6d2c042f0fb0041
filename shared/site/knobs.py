"""Knobs: what visitors can set on a page, declared once for its widget, its links and its API."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import gradio as gr
from pydantic import BeforeValidator

from shared.errors import UserError


@dataclass(frozen=True)
class Knob:
    """One value that visitors set with a widget, a link or an API argument.

    Attributes:
        name: Its name in links and in the API.
        label: What visitors read, at the widget and at the start of each error message.
        default: Its first value. The type says what is accepted: `int`, `float`, `bool`, `str`,
            or a list for a knob that takes several of its `choices`.
        low, high: Smallest and largest number; for a text, of its length in characters.
        step: Step of a slider; whole numbers in a link are rounded to it.
        choices: Dict from the values to choose from to their names on the page, or None.
    """

    name: str
    label: str
    default: object
    low: float = 0
    high: float = 1
    step: float | None = None
    choices: Mapping | None = None

    def __post_init__(self):
        self.check(self.default)

    # Widgets. `options` go to the Gradio component and override what the knob sets.

    def slider(self, **options):
        """A `gr.Slider`."""
        step = self.step or (1 if isinstance(self.default, int) else None)
        return self._make(gr.Slider, options, minimum=self.low, maximum=self.high, step=step)

    def number(self, **options):
        """A `gr.Number` whose label states the range."""
        return self._make(gr.Number, options, label=f"{self.label}, {self._range}")

    def text(self, **options):
        """A `gr.Textbox`."""
        return self._make(gr.Textbox, options, max_length=self.high)

    def checkbox(self, **options):
        """A `gr.Checkbox`, for a bool."""
        return self._make(gr.Checkbox, options)

    def choice(self, **options):
        """A row of choices, a `gr.Radio` or `gr.CheckboxGroup`; screen readers read the label."""
        widget = gr.CheckboxGroup if isinstance(self.default, list) else gr.Radio
        choices = [(name, value) for value, name in self.choices.items()]
        return self._make(widget, options, choices=choices, show_label=False, container=False)

    def _make(self, widget, options, **preset):
        return widget(**{"value": self.default, "label": self.label, **preset, **options})

    # Values

    def from_link(self, text):
        """The value that a link holds as text.

        A missing or unreadable value gives the default, and a number is brought into its range.
        """
        if text is None:
            return self.default
        if self.choices:
            by_text = {str(value): value for value in self.choices}
            if isinstance(self.default, list):
                parts = text.split(",")
                return [by_text[key] for key in by_text if key in parts] or self.default
            return by_text.get(text, self.default)
        if isinstance(self.default, bool):
            return text == "true"
        if isinstance(self.default, str):
            return text[: self.high]
        number = _number(text)
        if math.isnan(number):
            return self.default
        number = min(max(number, self.low), self.high)
        if isinstance(self.default, float):
            return number
        step = self.step or 1
        return int(min(self.low + round((number - self.low) / step) * step, self.high))

    def check(self, value):
        """The value in the knob's own type; a number may come as text.

        Raises:
            UserError: if it is of another kind or out of range; the message names the range.
        """
        if isinstance(self.default, list):
            values = value if isinstance(value, list | tuple) else []
            if not values or any(each not in list(self.choices) for each in values):
                raise self._refusal(None, f"be one or more of {self._values}")
            return [each for each in self.choices if each in values]
        if self.choices:
            for choice in self.choices:
                if value in (choice, str(choice)):
                    return choice
            raise self._refusal(value, f"be one of {self._values}")
        if isinstance(self.default, bool):
            return bool(value)
        if isinstance(self.default, str):
            if not isinstance(value, str):
                raise self._refusal(None, "be a text")
            if not self.low <= len(value) <= self.high:
                size = self._range if self.low else f"at most {self.high:,}"
                raise self._refusal(len(value), f"have {size} characters")
            return value
        number, whole = _number(value), isinstance(self.default, int)
        if not self.low <= number <= self.high or (whole and number % 1):
            kind = "whole number" if whole else "number"
            raise self._refusal(value, f"be a {kind} from {self._range}")
        return int(number) if whole else number

    @property
    def annotation(self):
        """The type of an API argument, checked by `check`, for `Annotated` hints and pydantic."""
        kind = Literal[tuple(self.choices)] if self.choices else type(self.default)
        kind = list[kind] if isinstance(self.default, list) else kind
        return Annotated[kind, BeforeValidator(self.check)]

    @property
    def _range(self):
        return f"{self.low:,.10g} to {self.high:,.10g}"

    @property
    def _values(self):
        return ", ".join(map(str, self.choices))

    def _refusal(self, value, wanted):
        number = _number(value)
        shown = f"“{value[:40]}”" if isinstance(value, str) and value else ""
        shown = f"{number:,.10g}" if math.isfinite(number) else shown
        return UserError(f"{self.label} must {wanted}{f', not {shown}' if shown else ''}.")


def read_link(knobs, link):
    """The values of several knobs, by their names, from a link: a dict of texts by name."""
    return {knob.name: knob.from_link(link.get(knob.name)) for knob in knobs}


def check_all(knobs, values):
    """The checked values of several knobs, in their order, as a dict by their names.

    Raises:
        UserError: as `Knob.check`, for the first value that cannot be used.
    """
    return {knob.name: knob.check(value) for knob, value in zip(knobs, values, strict=True)}


def _number(value):
    """A float; NaN for what is not a number."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
