"""How events wait for each other, and runs that a visitor can stop."""

import threading
from itertools import takewhile

import gradio as gr

from shared.errors import UserError
from shared.site import components

# A visitor's request that arrives while the previous one of the same event is under way is answered
# after it; Gradio's default would drop it.
INTERACTIVE = {"trigger_mode": "always_last", "api_visibility": "private"}
# Events of one queue share its places. `shared.site.turns` keeps the last of several places for
# visitors who have nothing under way: of two places, each visitor has one at most.
COMPUTE_QUEUE = {"concurrency_id": "compute", "concurrency_limit": 3}
BATCH_QUEUE = {"concurrency_id": "batch", "concurrency_limit": 2}
BACKTEST_QUEUE = {"concurrency_id": "backtest", "concurrency_limit": 2}
TRAINING_QUEUE = {"concurrency_id": "training", "concurrency_limit": 2}
COMPUTE = {**COMPUTE_QUEUE, **INTERACTIVE}
BATCH = {**BATCH_QUEUE, **INTERACTIVE}
# For events whose outputs stay as they are until the new ones come.
QUIET = {**COMPUTE, "show_progress": "hidden"}
# For clicks that each count, such as those on the squares of a photo: all are answered, in order.
IN_ORDER = {"concurrency_id": "in order", "concurrency_limit": 2, "trigger_mode": "multiple"}
# For events that answer within a millisecond.
IMMEDIATE = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

shutting_down = threading.Event()  # set once the site has been told to stop


def until_shutdown(items):
    """Iterate over `items` until the site is told to stop."""
    return takewhile(lambda _: not shutting_down.is_set(), items)


def user_edits(inputs):
    """The triggers that fire when a visitor edits one of the components.

    `input` alone misses the first edit after a value was set by the site, so `submit` (Enter) and
    `blur` (leaving the field) are added where a component has them.
    """
    names = ("input", "submit", "blur")
    return [getattr(each, name) for each in inputs for name in names if hasattr(each, name)]


def set_inputs_on(event, source, values, inputs, **options):
    """Set inputs when a visitor chooses a preset; returns a trigger that fires when they are set.

    The event that reads the inputs takes the trigger beside those of `user_edits`: Gradio answers
    the requests of one event in order, so that the answer to the last one stays.

    Args:
        event: Function that adds an event listener, such as `presets.click`.
        source: Component whose value `values` takes.
        values: Function that returns a value for each of `inputs`.
        inputs: List of components.
        options: For the event.
    """
    clicks = gr.State(0)

    def choose(value, clicks):
        return [*values(value), clicks + 1]

    event(choose, [source, clicks], [*inputs, clicks], **options)
    return clicks.change


def answer_or_error(fn, outputs):
    """An event handler whose first output is a message, for errors that visitors cause.

    Args:
        fn: Function that returns a value for each further output, and may raise a `UserError`.
        outputs: List of components.

    Returns:
        Function that returns an empty message and the values of `fn`, or an error message and
        `gr.skip()` for the other outputs.
    """

    def answer(*values):
        try:
            return ["", *fn(*values)]
        except UserError as error:
            return [components.error(error), *[gr.skip()] * (len(outputs) - 1)]

    return answer


class RunSlot:
    """A visitor's one place for a cancellable run such as a training; the value of a `gr.State`.

    The run started last owns the slot. Every run checks at each step whether it still does, and
    ends if not. Gradio's own `cancels=` ends a run some time after the button reports it, and drops
    clicks that arrive until then.

    Attributes:
        subject: The object that is trained, or None.
        stopped: Whether the visitor has stopped the run and not started another since.
        paused: Whether the visitor has paused the run and not resumed it since.
    """

    def __init__(self):
        self.subject, self.stopped, self.paused, self._token = None, True, False, None

    def begin(self, subject=None):
        """Take the slot from any other run; returns the token for `owns`."""
        self.subject, self.paused, self._token = subject, False, object()
        return self._token

    def owns(self, token):
        """Whether the run that got this token from `begin` may go on."""
        return self._token is token

    def release(self):
        """End the current run but keep its subject, for the run that was just asked for."""
        self.stopped, self._token = False, None

    def pause(self):
        """End the current run but keep its subject, for another run to resume."""
        self.paused, self._token = True, None

    def stop(self):
        """End the current run, and those that wait in the queue before they begin."""
        self.subject, self.stopped, self.paused, self._token = None, True, False, None


def start_on_click(button, slot, fn, inputs, outputs, placeholder=None, **options):
    """Start a cancellable run on click, even while another one is in progress, which ends.

    Args:
        button: The `gr.Button`.
        slot: The `gr.State` of a `RunSlot`.
        fn: Generator function `fn(slot, *inputs)`; it ends at once if `slot.stopped`.
        inputs, outputs: Lists of components.
        placeholder: What the first output shows until the run begins, or None.
        options: For the event.
    """

    def register(slot):
        slot.release()
        return gr.skip() if placeholder is None else placeholder

    multiple = {"trigger_mode": "multiple", "api_visibility": "private"}
    clicked = button.click(register, slot, outputs[0], **{**IMMEDIATE, **multiple})
    return clicked.then(fn, [slot, *inputs], outputs, **{**options, **multiple})
