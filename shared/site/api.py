"""Events of the public API: checked arguments, and sentences instead of traces."""

import inspect
from contextlib import contextmanager
from functools import wraps

import gradio as gr
from pydantic import ValidationError, validate_call

from shared.errors import UserError
from shared.site.events import COMPUTE_QUEUE

# What an argument must be, by the first word of pydantic's error type.
EXPECTATIONS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "list": "a list",
    "dict": "an object",
    "model": "a file; with gradio_client, handle_file(path)",
}


@contextmanager
def sentences():
    """Within this context, a `UserError` reaches the caller as its sentence, without a trace."""
    try:
        yield
    except UserError as error:
        raise gr.Error(str(error), print_exception=False) from None


def publish(fn, **options):
    """Publish a function as an API event under its own name.

    Arguments that do not fit the type hints, and a `UserError` of the function, reach the caller
    as a sentence.

    Args:
        fn: Function with type hints, the arguments of the event by name, and a docstring.
        options: For `gr.api`; by default, the event waits in the queue of events that compute.
    """
    checked = validate_call(fn)

    @wraps(fn)
    def event(*arguments):
        try:
            with sentences():
                return checked(*arguments)
        except ValidationError as error:
            message = _describe_mismatch(error.errors()[0], fn)
            raise gr.Error(message, print_exception=False) from None

    gr.api(event, api_name=fn.__name__, **{**COMPUTE_QUEUE, **options})


def _describe_mismatch(error, fn):
    """A sentence for one of pydantic's errors about an argument of `fn`."""
    if error["type"] == "value_error":  # of a `Knob`, with its own sentence
        return str(error["ctx"]["error"])
    if error["type"] == "unexpected_positional_argument":
        return "There are more arguments than this event has."
    if error["type"] == "value_error":  # of a knob
        return str(error["ctx"]["error"])
    place, *inner = error["loc"]
    name = list(inspect.signature(fn).parameters)[place] if isinstance(place, int) else place
    if error["type"] == "missing_argument":
        return f"{name} is missing."
    item = f", number {inner[0] + 1}," if inner and isinstance(inner[0], int) else ""
    kind = "model" if inner and isinstance(inner[-1], str) else error["type"].split("_")[0]
    if kind == "literal":
        expected = error["ctx"]["expected"].replace("'", "")
    else:
        expected = EXPECTATIONS.get(kind, "of another kind")
    return f"{name}{item} must be {expected}."
