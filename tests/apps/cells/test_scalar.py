import numpy as np
import pytest

from apps.cells.scalar import network, views
from tests.apps.cells import numpy_cells


@pytest.mark.parametrize(("w1", "w2"), [(0.9, 1.0), (1.0, 1.0), (1.1, 1.0), (-0.8, 1.2), (0.5, 0)])
def test_an_impulse_follows_the_closed_form(w1, w2):
    response = network.respond(w1, w2, network.make_impulse(50))
    np.testing.assert_allclose(response.output, w1 * (w1 * w2) ** np.arange(50.0), rtol=1e-4)
    assert response.growth == pytest.approx(w1 * w2)


def test_the_response_to_a_sine_settles_at_the_amplitude_of_the_formula():
    response = network.respond(0.9, 1.0, network.make_sine(200, 20))
    y, expected = 0.0, []
    for x in np.sin(2 * np.pi * np.arange(200) / 20):
        y = 0.9 * (x + 1.0 * y)
        expected.append(y)
    np.testing.assert_allclose(response.output, expected, atol=1e-4)
    # The steady state of y = a e^(iwt) is a = 0.9 / (1 - 0.9 e^(-iw)).
    amplitude = abs(0.9 / (1 - 0.9 * np.exp(-2j * np.pi / 20)))
    last = response.output[-20:]
    assert np.sqrt(2 * np.mean(last**2)) == pytest.approx(amplitude, rel=1e-3)
    assert f"{amplitude:.2f}" in views.sine(response, 20)


def test_an_overflow_is_reported_with_its_step():
    response = network.respond(2, 2, network.make_impulse(100))
    # 2 * 4^t leaves the range of float32, 2^128, at t = 64.
    assert response.overflow == 64
    assert "At step 64" in views.impulse(response)


@pytest.mark.parametrize(
    ("w1", "word"), [(0.9, "dies out"), (1.0, "stays"), (1.1, "blows up"), (0, "forgets at once")]
)
def test_the_answer_names_the_kind_of_growth(w1, word):
    assert word in views.growth(network.respond(w1, 1.0, network.make_impulse(5)))


def test_the_answer_states_half_life_and_doubling_time():
    said = views.growth(network.respond(0.5, 1.0, network.make_impulse(5)))
    assert "half of the impulse is gone after 1.0 steps" in said
    said = views.growth(network.respond(-2, 1.0, network.make_impulse(5)))
    assert "changes sign at every step" in said
    assert "doubles every 1.0 steps" in said


def test_paths_and_eigenvalues_equal_numpy():
    weights = np.array([[1.1, -0.7], [0.6, 0.9]])
    plane = network.follow_paths(weights, (0.3, -0.4), apart=0.1, steps=30)
    for path, start in zip(plane.paths, ((0.3, -0.4), (0.4, -0.4)), strict=True):
        h = np.array(start)
        np.testing.assert_allclose(path[0], h, atol=1e-6)
        for place in path[1:]:
            h = np.tanh(weights @ h)
            np.testing.assert_allclose(place, h, atol=1e-4)
    np.testing.assert_allclose(plane.distances[0], 0.1, atol=1e-6)
    # Trace 2, determinant 0.99 + 0.42: 1 ± i sqrt(1.41 - 1).
    np.testing.assert_allclose(
        sorted(plane.eigenvalues, key=lambda value: value.imag),
        [1 - 1j * np.sqrt(0.41), 1 + 1j * np.sqrt(0.41)],
        atol=1e-9,
    )


@pytest.mark.parametrize(
    ("weights", "points"),
    [
        ([[0.7, 0], [0, 0.5]], [1]),
        ([[1.6, 0], [0.4, 0.6]], [1, 1]),
        ([[1.6, 0], [0, 1.6]], [1, 1, 1, 1]),
        ([[-1.5, 0], [0.4, 0.5]], [2]),
    ],
)
def test_every_start_belongs_to_the_attractor_at_which_it_ends(weights, points):
    plane = network.follow_paths(weights, (0.1, 0.1))
    assert sorted(len(end) for end in plane.attractors) == points
    assert set(np.unique(plane.basins)) == set(range(len(points)))
    for place, end in enumerate(plane.attractors):
        at = end[-1]
        np.testing.assert_allclose(np.tanh(np.array(weights) @ at), end[0], atol=1e-3)
        rows, columns = np.nonzero(plane.basins == place)
        row, column = rows[0], columns[0]
        side = np.linspace(-network.PLANE_LIMIT, network.PLANE_LIMIT, network.GRID_SIDE)
        h = np.array([side[column], side[row]])
        for _ in range(2000):
            h = np.tanh(np.array(weights) @ h)
        assert min(np.abs(h - one).max() for one in end) < 0.1


def test_a_cycle_is_named_in_the_legend():
    plane = network.follow_paths([[1.1, -0.7], [0.7, 1.1]], (0.1, 0.1))
    assert len(plane.attractors) == 1
    assert "goes round" in views.plane(plane)


def test_the_listings_compute_the_same_numbers():
    names = {}
    exec(network.write_response_listing(1.1, -0.9, 20), names)
    expected = network.respond(1.1, -0.9, network.make_impulse(20)).output
    np.testing.assert_allclose(names["output"], expected, rtol=1e-5)
    weights = [[1.6, 0.0], [0.4, 0.6]]
    exec(network.write_plane_listing(weights, (0.02, 0.6)), names)
    paths = network.follow_paths(weights, (0.02, 0.6)).paths
    np.testing.assert_allclose(names["paths"], paths[:, 1:], atol=1e-6)


def test_the_network_of_one_line_is_a_layer_of_one_linear_unit():
    states, _ = numpy_cells.run(
        "linear", ([[0.9]], [[0.9 * 1.2]], [0.0]), network.make_impulse(6)[:, None], [np.zeros(1)]
    )
    output = network.respond(0.9, 1.2, network.make_impulse(6)).output
    np.testing.assert_allclose(output, states[:, 0], rtol=1e-5)
