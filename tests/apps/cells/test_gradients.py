from dataclasses import replace

import numpy as np
import pytest

from apps.cells.charts import format_power
from apps.cells.gradients import flow, views
from tests.apps.cells import numpy_cells

pytestmark = pytest.mark.slow

SMALL = flow.Setting(length=12, units=4, seed=3)
CELLS = ("rnn", "irnn", "lstm", "gru")


def make_problem(name, setting):
    """Weights, inputs and readout of a measurement, and how many states the cell has."""
    weights = flow.initial_weights(
        name, setting.units, setting.start, setting.radius, setting.bias, setting.seed
    )
    inputs, readout = flow.inputs_and_readout(setting.length, setting.units, setting.seed)
    return weights, inputs, readout.astype(float), 2 if name == "lstm" else 1


@pytest.mark.parametrize("name", CELLS)
def test_gradients_at_every_lag_equal_finite_differences(name):
    weights, inputs, readout, count = make_problem(name, SMALL)
    measured = flow.measure(name, SMALL)
    units, norms, memory = SMALL.units, [], []
    for lag in range(SMALL.length + 1):
        at = SMALL.length - lag
        by_sequence = []
        for sequence in inputs:
            start = [np.zeros(units)] * count
            states, _ = numpy_cells.run(name, weights, sequence[:at], start)
            here = states[-1] if at else np.zeros(units * count)

            def loss(flat, at=at, sequence=sequence):
                if at == SMALL.length:
                    return flat[:units] @ readout
                split = np.split(flat, count)
                return numpy_cells.run(name, weights, sequence[at:], split)[0][-1, :units] @ readout

            by_sequence.append(numpy_cells.gradient(loss, here))
        by_sequence = np.array(by_sequence)
        norms.append(np.linalg.norm(by_sequence[:, :units], axis=1).mean())
        memory.append(np.linalg.norm(by_sequence[:, units:], axis=1).mean())
    # A ReLU that is exactly at its kink has no derivative: the first state of the IRNN is 0.
    stop = -1 if name == "irnn" else None
    np.testing.assert_allclose(measured.norms[:stop], norms[:stop], rtol=2e-4, atol=1e-6)
    if count == 2:
        np.testing.assert_allclose(measured.memory, memory, rtol=2e-4, atol=1e-6)
    else:
        assert measured.memory is None


@pytest.mark.parametrize("name", CELLS)
def test_the_gradient_with_respect_to_recurrent_weights_equals_finite_differences(name):
    weights, inputs, readout, count = make_problem(name, SMALL)

    def loss(flat):
        changed = [weights[0], flat.reshape(weights[1].shape), weights[2]]
        start = [np.zeros(SMALL.units)] * count
        ends = [numpy_cells.run(name, changed, one, start)[0][-1, : SMALL.units] for one in inputs]
        return np.mean(ends @ readout)

    expected = np.linalg.norm(numpy_cells.gradient(loss, weights[1].ravel()))
    assert flow.measure(name, SMALL).gradient == pytest.approx(expected, rel=1e-3)


def test_the_largest_singular_value_is_that_of_the_product():
    weights, inputs, _, _ = make_problem("rnn", SMALL)
    radius = flow.measure("rnn", SMALL).largest
    largest = np.zeros(SMALL.length + 1)
    for sequence in inputs:
        states, _ = numpy_cells.run("rnn", weights, sequence, [np.zeros(SMALL.units)])
        product = np.eye(SMALL.units)
        for lag in range(SMALL.length + 1):
            if lag:
                product = product @ np.diag(1 - states[-lag] ** 2) @ weights[1].T
            top = np.sqrt(np.linalg.eigvalsh(product @ product.T)[-1])
            largest[lag] = max(largest[lag], top)
    np.testing.assert_allclose(radius, largest, rtol=1e-4)


@pytest.mark.parametrize("start", ["orthogonal", "gaussian"])
@pytest.mark.parametrize("name", ["rnn", "irnn"])
def test_no_curve_lies_above_its_bound(name, start):
    setting = replace(SMALL, start=start, radius=1.3, length=40)
    measured = flow.measure(name, setting)
    weights = make_problem(name, setting)[0]
    assert measured.weight_norm == pytest.approx(np.linalg.svd(weights[1])[1][0])
    np.testing.assert_allclose(measured.bound, measured.weight_norm ** np.arange(41))
    assert (measured.norms <= measured.bound * (1 + 1e-4)).all()
    assert (measured.largest <= measured.bound * (1 + 1e-4)).all()


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("start", ["orthogonal", "gaussian"])
def test_initial_weights_have_the_radius_and_bias_of_the_setting(name, start):
    _, recurrent, biases = flow.initial_weights(name, 8, start, 0.7, 2.5, 0)
    blocks = np.split(recurrent, recurrent.shape[1] // 8, axis=1)
    for block in blocks:
        assert max(abs(np.linalg.eigvals(block))) == pytest.approx(0.7)
        if start == "orthogonal":
            np.testing.assert_allclose(block @ block.T, 0.49 * np.eye(8), atol=1e-9)
        elif name != "irnn":
            assert np.linalg.norm(block, 2) > 0.75
    if name == "irnn":
        np.testing.assert_allclose(recurrent, 0.7 * np.eye(8))
    opened = {"lstm": lambda: biases[8:16], "gru": lambda: biases[0, :8]}.get(name)
    if opened:
        assert (opened() == 2.5).all()
        assert biases.sum() == pytest.approx(8 * 2.5)
    else:
        assert not biases.any()


def test_clipping_is_one_factor_for_all_lags():
    loud = replace(SMALL, start="gaussian", radius=2.0, length=40)
    plain = flow.measure("rnn", loud)
    clipped = flow.measure("rnn", replace(loud, clip=plain.gradient / 4))
    assert clipped.factor == pytest.approx(0.25)
    assert flow.measure("rnn", replace(loud, clip=plain.gradient * 4)).factor == 1
    assert "one factor for all lags" in views.story([clipped], None, plain.gradient / 4)
    assert "clipping did nothing" in views.story([plain], None, plain.gradient * 4)


def test_the_gradient_of_omega_equals_finite_differences():
    rng = np.random.default_rng(5)
    hidden, readout = np.tanh(rng.normal(size=(2, 6, 3))), rng.normal(size=3)
    recurrent = rng.normal(size=(3, 3))
    # The gradients that arrive are constants, as in the paper: computed at `recurrent`.
    arriving, gradient = [], np.tile(readout, (2, 1))
    for t in reversed(range(6)):
        arriving.append((t, gradient))
        gradient = (gradient * (1 - hidden[:, t] ** 2)) @ recurrent.T

    def expected(matrix):
        total = 0
        for t, gradient in arriving:
            before = (gradient * (1 - hidden[:, t] ** 2)) @ matrix.T
            ratio = np.linalg.norm(before, axis=1) / np.linalg.norm(gradient, axis=1)
            total += ((ratio - 1) ** 2).sum()
        return total / 12

    value, slope = flow.omega(hidden, recurrent, readout)
    assert value == pytest.approx(expected(recurrent))
    np.testing.assert_allclose(slope, numpy_cells.gradient(expected, recurrent), atol=1e-7)


def test_descent_on_omega_keeps_the_gradient_from_vanishing():
    setting = flow.Setting(length=40, units=8, radius=0.6, omega=10, seed=1)
    regularised = flow.regularise(setting)
    assert len(regularised.values) == 11
    assert regularised.values.min() < 0.1 * regularised.values[0]
    assert regularised.flow.norms[-1] > 1000 * flow.measure("rnn", setting).norms[-1]


def test_the_story_names_the_outcome():
    quiet = flow.measure("rnn", replace(SMALL, length=60, radius=0.5))
    loud = flow.measure("irnn", replace(SMALL, length=60, radius=1.5))
    assert views.outcome(quiet) == "vanished"
    assert "RNN: vanished" in views.story([quiet], None, 0)
    if views.outcome(loud) == "exploded":
        assert "IRNN: exploded" in views.story([loud], None, 0)


def test_an_overflowing_state_is_reported_with_its_step():
    # 2.5 times more at every step: 10^38 is reached after less than 38 / log10(2.5) = 96 steps.
    measured = flow.measure("irnn", flow.Setting(length=200, units=8, radius=2.5))
    assert 80 < measured.broken < 110
    assert np.isnan(measured.norms).all()
    assert views.outcome(measured) == "overflowed"
    said = views.story([measured], None, 0)
    assert f"at step {measured.broken}" in said
    assert "NaN" in said
    assert "not a number" in views.answer([measured])
    views.curves([measured], None)
    views.products([measured], None)


def test_the_listing_computes_the_same_numbers():
    names = {}
    exec(flow.write_listing(CELLS, SMALL), names)
    for name in CELLS:
        np.testing.assert_allclose(names["norms"][name], flow.measure(name, SMALL).norms, rtol=1e-4)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.19, "0.19"), (2.36e-5, "2.4 × 10⁻⁵"), (5480, "5,480"), (np.inf, "not a number")],
)
def test_numbers_are_formatted_with_powers_of_ten(number, text):
    assert format_power(number) == text
