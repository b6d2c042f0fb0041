"""`trace(force=…)`: forced values stay fixed, and everything else follows from the equations."""

import numpy as np
import pytest
from keras import ops

from tests.layers.autodiff import VARIANTS, make_cell, randomise
from unrolled.layers import Recurrent

INPUTS = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")


def traced(variant, force=None, **options):
    layer = Recurrent(make_cell(variant, units=5))
    layer.build(INPUTS.shape)
    randomise(layer)
    trace = layer.trace(INPUTS, force=force, **options)
    return {name: ops.convert_to_numpy(values) for name, values in trace.items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_traced_value_can_be_forced(variant):
    for name in make_cell(variant).trace_names:
        free = traced(variant)
        forced = traced(variant, {name: 0.25})
        assert (forced[name] == 0.25).all()
        assert any((forced[other] != free[other]).any() for other in free if other != name) or (
            list(free) == ["hidden"]
        )


def test_nan_leaves_a_unit_as_computed():
    nothing = np.full(5, np.nan)
    free = traced("lstm")
    for name, values in traced("lstm", {"forget": nothing, "hidden": nothing}).items():
        np.testing.assert_array_equal(values, free[name])
    one = nothing.copy()
    one[2] = 0
    forced = traced("lstm", {"hidden": one})
    assert (forced["hidden"][..., 2] == 0).all()
    others = [0, 1, 3, 4]
    np.testing.assert_array_equal(forced["hidden"][:, 0, others], free["hidden"][:, 0, others])
    assert (forced["hidden"][:, 1:, others] != free["hidden"][:, 1:, others]).any()


def test_an_open_forget_gate_and_a_closed_input_gate_freeze_the_cell():
    start = [np.full((2, 5), 0.3, "float32"), np.full((2, 5), -0.7, "float32")]
    forced = traced("lstm", {"forget": 1, "input": 0}, initial_state=start)
    assert (forced["cell"] == np.float32(-0.7)).all()
    forced = traced("gru", {"update": 1}, initial_state=start[0])
    np.testing.assert_allclose(forced["hidden"], 0.3, atol=1e-6)


def test_a_closed_forget_gate_forgets_all_but_the_step():
    forced = traced("lstm", {"forget": 0})
    np.testing.assert_allclose(forced["cell"], forced["input"] * forced["candidate"], atol=1e-6)


def test_each_sequence_can_be_forced_to_its_own_value():
    rows = np.array([[1.0], [np.nan]])
    forced, free = traced("lstm", {"output": np.repeat(rows, 5, axis=1)}), traced("lstm")
    np.testing.assert_allclose(forced["hidden"][0], np.tanh(forced["cell"][0]), atol=1e-6)
    np.testing.assert_array_equal(forced["hidden"][1], free["hidden"][1])


def test_names_that_a_cell_does_not_compute_are_refused():
    with pytest.raises(ValueError, match="`force` may name .*Received: .'forget'"):
        traced("gru", {"forget": 1})
