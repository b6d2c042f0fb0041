"""On a toy decoder all of whose sequences can be enumerated and scored."""

import itertools
from functools import cache, partial

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from shared.errors import UserError
from shared.limits import check_search
from unrolled.decoding import (
    MIN_LOG_PROBABILITY,
    beam_search,
    constrained,
    greedy_search,
    length_penalty,
    sample,
)

pytestmark = pytest.mark.slow

VOCABULARY, END, BEGIN, STEPS = 5, 3, 4, 5


def step(table, tokens, states):
    before = states["before"][:, 0]
    rows = ops.take(ops.reshape(table, (-1, VOCABULARY)), before * VOCABULARY + tokens, 0)
    return rows, {"before": tokens[:, None]}, ops.one_hot(tokens, VOCABULARY)


@cache
def graph(decode, *fixed):
    """One graph for all toys, which is what makes these tests quick."""

    def call(table, states, begin, *rest, **options):
        return decode(partial(step, table), states, begin, END, *fixed, *rest, **options)

    return tf.function(call, autograph=False)


class Toy:
    """Next-token log-probabilities that depend on the last two tokens, carried as a state."""

    def __init__(self, seed, sharpness=1.5):
        rng = np.random.default_rng(seed)
        logits = sharpness * rng.standard_normal((VOCABULARY, VOCABULARY, VOCABULARY))
        logits[:, :, [0, BEGIN]] = -30.0  # padding and the begin token are not written
        self.table = (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype("float32")

    def greedy(self, rows):
        return graph(greedy_search, STEPS)(self.table, *self.start(rows))

    def beam(self, rows, width, alpha=0.0):
        return graph(beam_search, STEPS, width, alpha)(self.table, *self.start(rows))

    def sample(self, uniforms, **options):
        steps, rows = uniforms.shape
        options = {name: tf.constant(value) for name, value in options.items()}
        return graph(sample, steps)(self.table, *self.start(rows), uniforms, **options)

    def start(self, rows):
        return {"before": np.full((rows, 1), BEGIN, "int32")}, np.full((rows,), BEGIN, "int32")

    def score(self, sequence):
        before, last, total = BEGIN, BEGIN, 0.0
        for token in sequence:
            total += self.table[before, last, token]
            before, last = last, token
        return total

    def sequences(self):
        """Every sequence that ends, or reaches the last step."""
        tokens = [1, 2]
        for length in range(STEPS):
            for body in itertools.product(tokens, repeat=length):
                yield (*body, END)
        yield from itertools.product(tokens, repeat=STEPS)


def tokens_of(row):
    return tuple(int(token) for token in np.asarray(row) if token)


@pytest.mark.parametrize("seed", range(6))
def test_greedy_search_chooses_the_most_probable_token_at_every_step(seed):
    toy = Toy(seed)
    result = toy.greedy(2)
    expected, before, last = [], BEGIN, BEGIN
    while len(expected) < STEPS and END not in expected:
        expected.append(int(toy.table[before, last].argmax()))
        before, last = last, expected[-1]
    assert tokens_of(result.tokens[0]) == tokens_of(result.tokens[1]) == tuple(expected)
    assert int(result.lengths[0]) == len(expected)
    np.testing.assert_allclose(result.scores[0], toy.score(expected), rtol=1e-5)
    np.testing.assert_allclose(np.sum(result.log_probabilities, axis=1), result.scores, rtol=1e-6)
    # The toy attends to its last token.
    attended = np.argmax(np.asarray(result.attention)[0, : len(expected)], axis=-1)
    assert tuple(attended) == (BEGIN, *expected[:-1])
    assert not np.asarray(result.attention)[0, len(expected) :].any()


@pytest.mark.parametrize("alpha", [0.0, 0.8])
@pytest.mark.parametrize("seed", range(6))
def test_a_beam_as_wide_as_the_tree_finds_the_best_sequence(seed, alpha):
    toy = Toy(seed)
    beams = toy.beam(1, 2**STEPS, alpha)

    def value(sequence):
        return toy.score(sequence) / ((5 + len(sequence)) / 6) ** alpha

    best = max(toy.sequences(), key=value)
    assert tokens_of(beams.sequences.tokens[0, 0]) == best
    np.testing.assert_allclose(beams.normalized_scores[0, 0], value(best), rtol=1e-5)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_beams_are_consistent_and_never_score_below_greedy(width):
    below_greedy = 0
    for seed in range(20):
        toy = Toy(seed)
        greedy, beams = toy.greedy(2), toy.beam(2, width)
        assert float(beams.normalized_scores[0, 0]) >= float(greedy.scores[0]) - 1e-5
        rows = [part[0] for part in beams.sequences]
        for tokens, length, score, logs, attention in zip(*map(np.asarray, rows), strict=True):
            if score < MIN_LOG_PROBABILITY / 2:
                continue
            sequence = tokens_of(tokens)
            assert len(sequence) == length
            np.testing.assert_allclose(toy.score(sequence), score, rtol=1e-4)
            np.testing.assert_allclose(logs.sum(), score, rtol=1e-4)
            assert tuple(attention[:length].argmax(-1)) == (BEGIN, *sequence[:-1])
        np.testing.assert_array_equal(beams.sequences.tokens[0], beams.sequences.tokens[1])
        scores = np.asarray(beams.tree["score"])[0, :, :width]
        below_greedy += scores[-1].max() < float(greedy.scores[0]) - 1e-5
    if width > 1:
        assert below_greedy  # or the greedy beam is never needed


def test_the_tree_holds_the_candidates_of_each_step():
    toy = Toy(3)
    tree = {name: np.asarray(values)[0] for name, values in toy.beam(1, 2).tree.items()}
    first = toy.table[BEGIN, BEGIN]
    order = np.argsort(-first)
    assert list(tree["token"][0][:3]) == list(order[:3])
    np.testing.assert_allclose(tree["score"][0][:3], first[order[:3]], rtol=1e-5)
    parent, token = tree["parent"][1][0], tree["token"][1][0]
    if tree["token"][0][parent] != END:
        expected = toy.score((tree["token"][0][parent], token))
        np.testing.assert_allclose(tree["score"][1][0], expected, rtol=1e-4)


def test_a_longer_sequence_wins_with_a_length_penalty():
    assert float(length_penalty(1, 0.7)) == 1.0
    np.testing.assert_allclose(float(length_penalty(7, 1.0)), 2.0)
    lengths = []
    for alpha in (0.0, 2.0):
        total = 0
        for seed in range(20):
            toy = Toy(seed, sharpness=0.7)
            beams = toy.beam(1, 4, alpha)
            total += int(beams.sequences.lengths[0, 0])
        lengths.append(total)
    assert lengths[1] > lengths[0]


def test_samples_follow_the_distribution_and_its_options():
    toy = Toy(1)
    rows = 4000
    uniforms = np.random.default_rng(0).random((1, rows)).astype("float32")

    def frequencies(**options):
        tokens = np.asarray(toy.sample(uniforms, **options).tokens)[:, 0]
        return np.bincount(tokens, minlength=VOCABULARY) / rows

    truth = np.exp(toy.table[BEGIN, BEGIN])
    np.testing.assert_allclose(frequencies(), truth, atol=0.025)
    cold = truth**2 / (truth**2).sum()
    np.testing.assert_allclose(frequencies(temperature=0.5), cold, atol=0.025)
    best = int(truth.argmax())
    assert frequencies(top_k=1)[best] == 1
    assert frequencies(top_p=0.01)[best] == 1
    two = np.sort(truth)[-2:]
    np.testing.assert_allclose(frequencies(top_k=2)[best], two[1] / two.sum(), atol=0.025)


def test_equal_uniforms_draw_equal_tokens():
    toy = Toy(2)
    rng = np.random.default_rng(0)
    one, other = (rng.random((STEPS, 8)).astype("float32") for _ in range(2))
    first = np.asarray(toy.sample(one).tokens)
    np.testing.assert_array_equal(toy.sample(one).tokens, first)
    assert (np.asarray(toy.sample(other).tokens) != first).any()


@pytest.mark.parametrize("mode", ["eager", "xla"])
def test_eager_and_xla_beams_agree_with_the_graph(mode):
    toy = Toy(4)
    expected = toy.beam(3, 3)

    def call(states, begin):
        return beam_search(partial(step, toy.table), states, begin, END, STEPS, 3)

    if mode == "xla":
        call = tf.function(call, jit_compile=True, autograph=False)
    beams = call(*toy.start(3))
    np.testing.assert_array_equal(beams.sequences.tokens, expected.sequences.tokens)
    np.testing.assert_allclose(beams.normalized_scores, expected.normalized_scores, rtol=1e-5)


@pytest.mark.parametrize(
    ("width", "alpha", "sentence"),
    [(0, 1.0, "beam width"), (9, 1.0, "beam width"), (2.5, 1.0, "beam width"), (4, -0.1, "penalty")]
    + [(4, 2.1, "penalty"), (4, float("nan"), "penalty"), (4, "1", "penalty")],
)
def test_a_beam_width_or_penalty_out_of_range_is_refused(width, alpha, sentence):
    with pytest.raises(UserError, match=sentence):
        check_search(width, alpha)


def constrained_greedy(logits, steps=12, rows=1, **limits):
    """Greedy tokens of a decoder whose logits never change, under constraints."""
    vocabulary = len(logits)
    limits = {
        "words": np.ones(vocabulary, bool),
        "least": np.zeros(rows, "int32"),
        "required": np.zeros((rows, 0), bool),
        "bias": np.zeros(vocabulary, "float32"),
    } | limits

    def always(tokens, states):
        row = ops.convert_to_tensor(logits, "float32")
        return ops.tile(row[None], (ops.shape(tokens)[0], 1)), states, ops.one_hot(tokens, 2)

    limited, states = constrained(always, {"none": ops.zeros((rows, 1))}, END, steps, **limits)
    found = greedy_search(limited, states, np.full(rows, BEGIN), END, steps)
    return [[int(token) for token in row if token] for row in np.asarray(found.tokens)]


def test_a_sequence_ends_with_a_word_and_after_the_least_number_of_tokens():
    logits = [-9, 0.0, 1.0, 3.0, -9]  # the end is likeliest, then 2, which is no word, then 1
    words = np.array([False, True, False, False, False])
    (tokens,) = constrained_greedy(logits, words=words)
    assert tokens == [2, 2, 2, 1, END]  # 2 is not written a fourth time
    both = constrained_greedy([-9, 2.0, 1.0, 3.0, -9], rows=2, least=np.array([0, 2], "int32"))
    assert both == [[1, END], [1, 1, END]]


def test_repetitions_are_broken_off():
    def cycling(period):
        """Greedy tokens of a decoder that repeats a cycle for ever."""

        def next_in_cycle(tokens, states):
            following = ops.where(tokens >= 5 + period - 1, 5, tokens + 1)
            row = 5.0 * ops.one_hot(following, 20) + 1.0 * ops.one_hot(END + 0 * tokens, 20)
            return row, states, ops.one_hot(tokens, 2)

        nothing = np.zeros((1, 0), bool)
        limited, states = constrained(
            next_in_cycle, {"none": ops.zeros((1, 1))}, END, 30, np.ones(20, bool), [0], nothing,
            np.zeros(20, "float32"),
        )  # fmt: skip
        found = greedy_search(limited, states, np.array([BEGIN]), END, 30)
        return [int(token) for token in np.asarray(found.tokens)[0] if token]

    assert cycling(1) == [5, 5, 5, END]
    assert cycling(2) == [5, 6, 5, 6, END]
    assert cycling(4) == [5, 6, 7, 8, 5, 6, 7, END]


def test_what_is_required_is_written_once_and_other_placeholders_never():
    # The last three tokens are placeholders, all likelier than the end.
    logits = [-9, 0.0, -1.0, 1.0, -9, 5.0, 4.0, 3.0]
    required = np.array([[True, False, True], [False, False, False]])
    both = constrained_greedy(logits, rows=2, required=required)
    assert both == [[5, 7, END], [1, END]]


def test_the_last_steps_are_kept_for_what_is_required():
    required = np.array([[True, True]])
    logits = [-9, 9.0, 8.0, 1.0, -9, -5.0, -6.0]
    (tokens,) = constrained_greedy(logits, steps=6, required=required)
    assert len(tokens) == 6 and tokens[3:5] == [5, 6]


def test_a_bias_keeps_tokens_away():
    bias = np.array([0, -50, 0, 0, 0], "float32")
    (tokens,) = constrained_greedy([-9, 4.0, 2.0, 3.0, -9], bias=bias)
    assert tokens == [2, END]
