import numpy as np
import pytest

from apps.cells.unrolled import steps, views
from shared.equations import EQUATIONS
from shared.errors import UserError
from tests.apps.cells import numpy_cells

VARIANTS = list(steps.VARIANTS)


def run_numpy(result):
    """States and gates of the layer of a result, computed by numpy."""
    units = result.hidden.shape[1]
    start = [np.zeros(units)] * (1 if result.cell is None else 2)
    return numpy_cells.run(result.variant, result.weights, result.inputs, start)


@pytest.mark.parametrize("text", ["1 0 -0.5 2", "the cat sat"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_states_and_gates_equal_numpy(variant, text):
    result = steps.read(text, variant, 2, 1)
    states, gates = run_numpy(result)
    shown = result.hidden if result.cell is None else np.hstack([result.hidden, result.cell])
    np.testing.assert_allclose(shown, states, atol=1e-5)
    for terms, expected in zip(result.terms, gates, strict=True):
        for term in terms:
            if term.name in expected:
                np.testing.assert_allclose(term.value, expected[term.name], atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_parts_of_a_term_add_up_to_its_value(variant):
    squash = {"candidate": np.tanh, "cell": lambda total: total}
    for terms in steps.read("1 0 -0.5 2", variant, 2, 0).terms:
        for term in terms:
            total = sum(value for _, value in term.parts)
            if variant == "coupled" and term.name == "input":
                expected = 1 - total
            elif term.name == "hidden":
                by_name = {each.name: each.value for each in terms}
                if variant == "rnn":
                    expected = np.tanh(total)
                else:
                    expected = total * by_name["output"] if "output" in by_name else total
            else:
                expected = squash.get(term.name, numpy_cells.sigmoid)(total)
            np.testing.assert_allclose(term.value, expected, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_equal_finite_differences(variant):
    result = steps.read("1 0 -0.5 2", variant, 2, 4)
    units, count = 2, 1 if result.cell is None else 2
    states, _ = run_numpy(result)
    for t in range(len(result.labels) + 1):
        at = states[t - 1] if t else np.zeros(units * count)

        def loss(flat, t=t):
            if t == len(result.labels):
                return flat[:units].sum()
            rest = numpy_cells.run(
                variant, result.weights, result.inputs[t:], np.split(flat, count)
            )[0]
            return rest[-1, :units].sum()

        np.testing.assert_allclose(result.gradients[t], numpy_cells.gradient(loss, at), atol=2e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_listing_computes_the_same_numbers(variant):
    result = steps.read("0.5 -1 2", variant, 2, 7)
    names = {}
    exec(steps.write_listing(result), names)
    np.testing.assert_allclose(names["trace"]["hidden"], result.hidden, atol=1e-6)
    np.testing.assert_allclose(names["gradients"][::-1], result.gradients, atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_term_has_its_equation(variant):
    terms = steps.read("1 2", variant, 2, 0).terms[0]
    letters = [line.split(" = ")[0] for line in EQUATIONS[variant]]
    assert [views.LETTERS[term.name] for term in terms] == letters


def test_numbers_may_be_written_in_several_ways():
    labels, inputs = steps.parse(" 1,  −0.5; 2e-1\n3 ")
    assert labels == ("1", "−0.5", "2e-1", "3")
    np.testing.assert_allclose(inputs[:, 0], [1, -0.5, 0.2, 3])


def test_a_word_always_has_the_same_vector_in_tenths():
    _, inputs = steps.parse("The cat saw the Cat.")
    assert inputs.shape == (5, 2)
    np.testing.assert_array_equal(inputs[0], inputs[3])
    np.testing.assert_array_equal(inputs[1], inputs[4])
    assert not np.array_equal(inputs[0], inputs[1])
    np.testing.assert_allclose(inputs * 10, np.round(inputs * 10), atol=1e-5)


def test_texts_that_cannot_be_parsed_are_refused(texts):
    for text in (
        "",
        " ,; ",
        None,
        "1 2 x 4",
        "1 nan 2",
        "1 -inf",
        "1 1e9",
        "1 " * 13,
        "word " * 1_000_000,
    ):
        with pytest.raises(UserError) as error:
            steps.parse(text)
        texts(error.value)


def test_the_seed_and_the_units_change_the_numbers():
    first = steps.read("1 2", "lstm", 2, 0)
    assert not np.allclose(first.hidden, steps.read("1 2", "lstm", 2, 1).hidden)
    assert steps.read("1 2", "lstm", 4, 0).hidden.shape == (2, 4)
    np.testing.assert_array_equal(first.hidden, steps.read("1 2", "lstm", 2, 0).hidden)


def test_typed_text_is_escaped():
    figure = views.unrolled(steps.read("<b>bold</b> & co", "rnn", 2, 0))
    assert "<b>bold" not in figure
    assert "&lt;b&gt;bold" in figure
