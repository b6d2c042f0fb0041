import math

import numpy as np
import pytest

from apps.cells import knobs, listing


@pytest.mark.parametrize("value", [None, "", "many", math.nan, math.inf, "nan"])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(knobs.KnobError, match="The length needs a number from 1 to 400"):
        knobs.whole("The length", value, 1, 400)


@pytest.mark.parametrize("value", [0, -3, 1_000_000, "401"])
def test_what_is_out_of_range_is_refused(value):
    with pytest.raises(knobs.KnobError, match="must lie between 1 and 400"):
        knobs.whole("The length", value, 1, 400)


def test_large_numbers_are_written_out():
    with pytest.raises(knobs.KnobError, match="is 1,000,000; it must lie between 1 and 2,000.5"):
        knobs.number("The length", 1e6, 1, 2000.5)
    with pytest.raises(knobs.KnobError, match="between 0 and 1,000,000"):
        knobs.number("The seed", -1, 0, 1e6)


def test_what_is_not_whole_is_refused():
    with pytest.raises(knobs.KnobError, match=r"2\.5; it must be a whole number"):
        knobs.whole("The length", 2.5, 1, 400)


def test_good_values_pass_as_numbers():
    assert knobs.whole("n", "12", 1, 400) == 12
    assert knobs.number("x", "0.5", 0, 1) == 0.5
    assert knobs.one_of("cell", "rnn", ("rnn", "gru")) == "rnn"
    with pytest.raises(knobs.KnobError, match="cell must be one of rnn, gru"):
        knobs.one_of("cell", "cnn", ("rnn", "gru"))


def test_an_array_is_written_exactly():
    values = np.random.default_rng(0).normal(size=(7, 40)).astype("float32")
    again = eval(listing.write_array(values), {"np": np})
    assert again.dtype == np.float32
    np.testing.assert_array_equal(again, values)
