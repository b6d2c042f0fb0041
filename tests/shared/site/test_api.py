from typing import Literal

import gradio as gr
import pytest

from shared.bundle import BundleError
from shared.errors import UserError
from shared.site import api
from shared.site.knobs import Knob


def published(fn, **options):
    """What the site calls for an event of the API."""
    with gr.Blocks() as site:
        api.publish(fn, **options)
    return next(iter(site.fns.values())).fn


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((3, [], 1, 1, "a"), "text must be text."),
        (("a", "b", 1, 1, "a"), "rows must be a list."),
        (("a", ["b", None], 1, 1, "a"), "rows, number 2, must be text."),
        (("a", [], "many", 1, "a"), "count must be a whole number."),
        (("a", [], 1.5, 1, "a"), "count must be a whole number."),
        (("a", [], 1, "wide", "a"), "size must be a number."),
        (("a", [], 1, 1, "c"), "kind must be a or b."),
        (("a", [], 1, 1, "a", {"name": "x"}), "photo must be a file; "),
        (("a", [], 1, 1, "a", "/etc/hostname"), "photo must be a file; "),
        ((), "text is missing."),
        (("a", [], 1, 1, "a", None, "more"), "more arguments"),
    ],
)
def test_an_argument_of_another_kind_gets_a_sentence(arguments, sentence):
    def event(
        text: str,
        rows: list[str],
        count: int,
        size: float,
        kind: Literal["a", "b"],
        photo: gr.FileData | None = None,
    ) -> dict:
        """An event."""
        return {"count": count}

    called = published(event)
    assert called("a", ["b"], 2, 1.5, "b") == {"count": 2}
    with pytest.raises(gr.Error) as refused:
        called(*arguments)
    assert refused.value.message.startswith(sentence) or sentence in refused.value.message


@pytest.mark.parametrize("kind", [UserError, BundleError])
def test_what_a_caller_did_wrong_reaches_them_as_a_sentence(kind):
    def event(text: str) -> str:
        """An event."""
        raise kind(f"{text} cannot be read.")

    with pytest.raises(gr.Error, match="This cannot be read") as refused:
        published(event)("This")
    assert not refused.value.print_exception


def test_a_list_that_is_too_long_is_refused():
    def event(texts: list[str]) -> int:
        """An event."""
        return len(texts)

    called = published(event, max_items=3)
    assert called(["a"] * 3) == 3
    with pytest.raises(gr.Error, match="texts may have at most 3 items"):
        called(["a"] * 4)


def test_an_argument_outside_the_range_of_its_knob_gets_the_sentence_of_the_knob():
    steps = Knob("steps", "Steps", 20, 1, 50)

    def event(steps: steps.annotation = 20) -> int:
        """An event."""
        return steps

    assert published(event)(30) == 30
    with pytest.raises(gr.Error) as refused:
        published(event)(51)
    with pytest.raises(UserError) as sentence:
        steps.check(51)
    assert refused.value.message == str(sentence.value)
