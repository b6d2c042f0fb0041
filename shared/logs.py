"""How errors are logged: where they happened, and none of what visitors have sent.

The message of an error often quotes the input that has caused it, so messages are left out.
"""

import logging
import sys
import traceback
from pathlib import Path

log = logging.getLogger("unrolled")

ROOT = Path(__file__).parent.parent


class Formatter(logging.Formatter):
    """Formats records of the log, errors as `describe` does."""

    def formatException(self, ei):  # noqa: N802
        return describe(ei[1])


def describe(error):
    """A traceback without the messages of errors.

    Args:
        error: The exception, with those that led to it.
    """
    parts = []
    while error is not None:
        frames = "".join(traceback.format_tb(error.__traceback__))
        name = type(error).__name__
        parts.append(f"Traceback (most recent call last):\n{frames}{name}")
        parts += map(describe, getattr(error, "exceptions", ()))  # of a group
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\nafter:\n\n".join(parts)


def log_error():
    """Log the error that is being handled, in a line if none of our code has had a part in it.

    What does not fit the arguments of an event is refused by Gradio, for example.
    """
    error = sys.exc_info()[1]
    assert error is not None
    frames = traceback.extract_tb(error.__traceback__)
    if any(_is_ours(Path(frame.filename)) for frame in frames):
        log.error("An event has failed.\n%s", describe(error))
    else:
        name, last = type(error).__name__, frames[-1]
        log.info("An event was refused: %s in %s, line %s.", name, last.name, last.lineno)


def _is_ours(path):
    """Whether a file of code is of this repository and does more than hand on what Gradio does."""
    ours = ROOT in path.parents and "site-packages" not in path.parts
    return ours and path.name != "gradio_patches.py"


def log_loop_error(loop, context):
    """Handler of the errors of an event loop, whose own message quotes them."""
    error = context.get("exception")
    log.error("A task has failed.\n%s", describe(error) if error else context["message"])
