"""Events of the public API: checked arguments, and sentences instead of traces."""

import inspect
from contextlib import contextmanager
from functools import wraps

import gradio as gr
from pydantic import ValidationError, validate_call

from shared.errors import UserError
from shared.site.events import BATCH_QUEUE, COMPUTE_QUEUE

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


def publish(fn, max_items=None, **options):
    """Publish a function as an API event under its own name.

    Arguments that do not fit the type hints, and a `UserError` of the function, reach the caller
    as a sentence.

    Args:
        fn: Function with type hints, the arguments of the event by name, and a docstring.
        max_items: Most items of a list, for a function that answers many inputs; None for one that
            answers a single input. The first kind waits in the queue of batches.
        options: For `gr.api`.
    """
    checked, names = validate_call(fn), list(inspect.signature(fn).parameters)

    @wraps(fn)
    def event(*arguments):
        try:
            with sentences():
                for name, value in zip(names, arguments, strict=False):
                    if max_items and isinstance(value, list) and len(value) > max_items:
                        raise UserError(f"{name} may have at most {max_items:,} items.")
                return checked(*arguments)
        except ValidationError as error:
            message = _describe_mismatch(error.errors()[0], names)
            raise gr.Error(message, print_exception=False) from None

    queue = BATCH_QUEUE if max_items else COMPUTE_QUEUE
    gr.api(event, api_name=fn.__name__, **{**queue, **options})


def _describe_mismatch(error, names):
    """A sentence for one of pydantic's errors about an argument; `names` are those of all."""
    if error["type"] == "value_error":  # of a `Knob`, with its own sentence
        return str(error["ctx"]["error"])
    if error["type"] == "unexpected_positional_argument":
        return "There are more arguments than this event has."
    place, *inner = error["loc"]
    name = names[place] if isinstance(place, int) else place
    if error["type"] == "missing_argument":
        return f"{name} is missing."
    item = f", number {inner[0] + 1}," if inner and isinstance(inner[0], int) else ""
    kind = "model" if inner and isinstance(inner[-1], str) else error["type"].split("_")[0]
    if kind == "literal":
        expected = error["ctx"]["expected"].replace("'", "")
    else:
        expected = EXPECTATIONS.get(kind, "of another kind")
    return f"{name}{item} must be {expected}."
