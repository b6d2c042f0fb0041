import math
from typing import get_args

import gradio as gr
import pytest
from pydantic import ValidationError, validate_call

from shared.errors import UserError
from shared.site import api
from shared.site.knobs import Knob, check_all, read_link

LENGTH = Knob("length", "Length", 50, 10, 400)
LEVEL = Knob("level", "Interval, %", 80, 10, 90, step=10)
RATE = Knob("rate", "Learning rate", 0.01, 0, 1_000_000)
CELL = Knob("cell", "Cell", "rnn", choices={"rnn": "RNN", "gru": "GRU"})
CELLS = Knob("cells", "Cells", ["rnn", "gru"], choices={"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"})
SPEED = Knob("speed", "Steps", 10, choices={1: "1", 10: "10"})
MATCHED = Knob("matched", "Equal sizes", False)
TEXT = Knob("text", "Text", "hello", 2, 8)


@pytest.mark.parametrize(
    "value", [None, "", "many", math.nan, math.inf, "nan", "1e999", [50], 10**400]
)
def test_values_that_are_not_numbers_are_refused(value):
    with pytest.raises(UserError, match="^Length must be a whole number from 10 to 400"):
        LENGTH.check(value)


@pytest.mark.parametrize("value", [9, -3, 1_000_000, "401", 20.5])
def test_numbers_out_of_range_and_fractions_are_refused(value):
    with pytest.raises(UserError, match="from 10 to 400, not "):
        LENGTH.check(value)


def test_refusals_are_sentences_that_name_the_range_and_the_value(texts):
    refused = (
        (LENGTH, 1_000_000),
        (LENGTH, "many"),
        (LENGTH, None),
        (RATE, -0.5),
        (CELL, "cnn"),
        (CELLS, []),
        (CELLS, ["rnn", "cnn"]),
        (CELLS, [["rnn"]]),
        (TEXT, "a"),
        (TEXT, None),
    )
    for knob, value in refused:
        with pytest.raises(UserError) as error:
            knob.check(value)
        texts(error.value)


def test_good_values_come_back_in_the_type_of_the_default():
    assert LENGTH.check("12") == 12
    assert isinstance(LENGTH.check(50.0), int)
    assert isinstance(RATE.check(1), float)
    assert CELL.check("gru") == "gru"
    assert CELLS.check(("gru", "rnn")) == ["rnn", "gru"]  # in the order of the choices
    assert SPEED.check(10.0) == SPEED.check("10") == 10
    assert MATCHED.check(True) is True
    assert TEXT.check("a text") == "a text"


@pytest.mark.parametrize("value", [["rnn"], {}, None, 3])
def test_a_choice_of_another_type_is_refused(value):
    with pytest.raises(UserError, match="Cell must be one of rnn, gru"):
        CELL.check(value)


@pytest.mark.parametrize(
    "knob, text, value",
    [
        (LENGTH, None, 50),
        (LENGTH, "", 50),
        (LENGTH, "nan", 50),
        (LENGTH, "12", 12),
        (LENGTH, "12.0", 12),
        (LENGTH, "inf", 400),
        (LENGTH, "-5", 10),
        (LEVEL, "47", 50),
        (LEVEL, "1000", 90),
        (RATE, "0.003", 0.003),
        (CELL, "gru", "gru"),
        (CELL, "cnn", "rnn"),
        (CELLS, "gru,cnn", ["gru"]),
        (CELLS, "cnn", ["rnn", "gru"]),
        (SPEED, "1", 1),
        (SPEED, "2", 10),
        (MATCHED, "true", True),
        (MATCHED, "yes", False),
        (TEXT, "a very long text", "a very l"),
    ],
)
def test_links_give_a_value_that_can_be_used(knob, text, value):
    assert knob.from_link(text) == value


def test_several_knobs_are_read_and_checked_in_their_order():
    assert read_link([CELL, LENGTH], {"length": "20", "other": "x"}) == {
        "cell": "rnn",
        "length": 20,
    }
    assert check_all([CELL, LENGTH], ["gru", 20.0]) == {"cell": "gru", "length": 20}
    with pytest.raises(UserError, match="^Length"):
        check_all([CELL, LENGTH], ["gru", 4])


def test_a_default_outside_its_own_range_is_refused():
    with pytest.raises(UserError, match="Length must be"):
        Knob("length", "Length", 5, 10, 400)


def test_widgets_show_the_default_the_label_and_the_range():
    slider = LEVEL.slider(min_width=200)
    assert (slider.minimum, slider.maximum, slider.step, slider.value) == (10, 90, 10, 80)
    assert RATE.slider(maximum=3).maximum == 3
    assert LENGTH.slider().step == 1
    assert LENGTH.number().label == "Length, 10 to 400"
    assert LENGTH.number(label="Steps").label == "Steps"
    assert CELL.choice().choices == [("RNN", "rnn"), ("GRU", "gru")]
    assert isinstance(CELLS.choice(), gr.CheckboxGroup)
    assert MATCHED.checkbox().value is False
    assert TEXT.text(lines=2).max_length == 8


def test_an_annotated_argument_is_checked_before_the_function_runs():
    @validate_call
    def run(length: LENGTH.annotation, cell: CELL.annotation, cells: CELLS.annotation):
        return length, cell, cells

    assert run("20", "gru", ["rnn"]) == (20, "gru", ["rnn"])
    with pytest.raises(ValidationError) as error:
        run(4, "gru", ["rnn"])
    sentence = api._describe_mismatch(error.value.errors()[0], run)
    assert sentence == "Length must be a whole number from 10 to 400, not 4."
    assert get_args(get_args(CELL.annotation)[0]) == ("rnn", "gru")  # the schema lists them
