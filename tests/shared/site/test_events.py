import gradio as gr

from shared.bundle import BundleError
from shared.errors import UserError
from shared.site.events import answer_or_error


def test_an_error_becomes_a_message_and_leaves_the_other_outputs():
    def divide(a, b):
        if b == 0:
            raise UserError("Choose another number than 0.")
        if b < 0:
            raise BundleError("The bundle <x> is damaged.")
        return [a / b, a % b]

    answer = answer_or_error(divide, ["message", "ratio", "remainder"])
    assert answer(7, 2) == ["", 3.5, 1]
    message, *others = answer(7, 0)
    assert "Choose another number than 0." in message
    assert others == [gr.skip(), gr.skip()]
    assert "&lt;x&gt;" in answer(7, -1)[0]
