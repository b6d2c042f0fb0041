"""Decoding: greedy search, beam search and sampling, each as one graph.

The decoder is given as a function `step(tokens, states) -> (log_probabilities, states, attention)`:

    tokens             integers `(rows,)`, the last token of each row
    states             any nest of tensors `(rows, ...)`
    log_probabilities  `(rows, vocabulary)`, of the next token
    attention          `(rows, memory)`, the attention weights of this step

The whole loop runs inside one graph and stops as soon as every row has ended. Calling the decoder
from Python once per token takes many times longer; `benchmarks/decoding.py` measures it.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

MIN_LOG_PROBABILITY = -1e9  # of what must not be chosen; sums of it stay finite


class Sequences(NamedTuple):
    """Decoded sequences, `rows` of them with at most `steps` tokens.

    Attributes:
        tokens: Integers `(rows, steps)`, the end token included, 0 after it.
        lengths: Integers `(rows,)`, the number of tokens, the end token included.
        scores: `(rows,)`, the sum of the tokens' log-probabilities.
        log_probabilities: `(rows, steps)`, of each token, 0 after the end.
        attention: `(rows, steps, memory)`, the attention weights of each step, 0 after the end.
    """

    tokens: Any
    lengths: Any
    scores: Any
    log_probabilities: Any
    attention: Any


class Beams(NamedTuple):
    """The result of a beam search: `width + 1` beams, the best first.

    Attributes:
        sequences: `Sequences` with an axis of beams after that of rows, such as tokens
            `(rows, beams, steps)`.
        normalized_scores: `(rows, beams)`, the scores divided by the length penalty. The beams are
            in their order.
        tree: Dict of the best `2 * width` continuations at each step, of which the search kept
            the first `width`. Its arrays `(rows, steps, 2 * width)` are `parent`, the index of the
            continued beam, `token`, and `score`, `MIN_LOG_PROBABILITY` where there was none.
    """

    sequences: Sequences
    normalized_scores: Any
    tree: dict


def length_penalty(lengths, alpha):
    """The divisor of scores, ((5 + length) / 6) ** alpha (Wu et al. 2016); 1 for alpha 0."""
    return ((5.0 + ops.cast(lengths, "float32")) / 6.0) ** alpha


def constrained(step, states, end, steps, words, least, required, bias):
    """A decoder that ends no sequence too early, does not go round in circles and copies.

    The sequence may end once it has a word, `least` tokens and all that is `required`. A token is
    not written a fourth time in a row, two or three tokens are not written a third time in a row,
    and four to six not a second time.

    Args:
        step, states: The decoder, as described above.
        end: Integer, the token that ends a sequence.
        steps: Integer, the maximum number of tokens: the last ones are kept for what is required.
        words: Booleans `(vocabulary,)`, which tokens are words or parts of words.
        least: Integers `(rows,)`, the number of tokens before the end.
        required: Booleans `(rows, slots)`, for the last `slots` tokens of the vocabulary. Those
            that are required are written once each, and the others never.
        bias: `(vocabulary,)`, added to the log-probabilities of every step.

    Returns:
        The constrained `step` and its `states`.
    """
    slots = required.shape[1]
    words = ops.cast(words, "float32")
    missing = ops.cast(required, "float32")
    rows = ops.shape(missing)[0]
    # Numbers that are no tokens, and differ.
    history = ops.tile(-1 - ops.arange(_HISTORY, dtype="int32")[None], (rows, 1))
    written = ops.zeros((rows,), "int32") - 1  # the begin token is about to be counted
    states = (states, missing, history, written, ops.cast(least, "int32"), ops.zeros((rows,)))

    def constrained_step(tokens, states):
        states, missing, history, written, least, worded = states
        tokens = ops.cast(tokens, "int32")
        predicted, states, attention = step(tokens, states)
        predicted = ops.cast(predicted, "float32") + bias
        vocabulary = predicted.shape[-1]
        written = written + 1
        is_word = ops.where(written > 0, ops.take(words, tokens), 0.0)  # not the begin token
        worded = ops.maximum(worded, is_word)
        history = ops.concatenate([history[:, 1:], tokens[:, None]], axis=1)
        numbers = ops.arange(vocabulary, dtype="int32")[None]
        may_end = ops.logical_and(worded > 0, written >= least)
        if slots:
            slot = numbers[:, vocabulary - slots :]
            missing = ops.where(ops.equal(tokens[:, None], slot), 0.0, missing)
            may_end = ops.logical_and(may_end, ops.sum(missing, axis=-1) < 0.5)
        banned = ops.logical_and(ops.equal(numbers, end), ops.logical_not(may_end)[:, None])
        for token, repeats in _repetitions(history):
            again = ops.logical_and(ops.equal(numbers, token[:, None]), repeats[:, None])
            banned = ops.logical_or(banned, again)
        if slots:
            left = ops.sum(missing, axis=-1)
            only = ops.logical_and(left > 0, ops.cast(steps - 1 - written, "float32") <= left)
            others = ops.tile(only[:, None], (1, vocabulary - slots))
            banned = ops.logical_or(banned, ops.concatenate([others, missing < 0.5], axis=1))
        predicted = ops.where(banned, MIN_LOG_PROBABILITY, predicted)
        return predicted, (states, missing, history, written, least, worded), attention

    return constrained_step, states


_HISTORY = 12  # tokens that a repetition is looked for in


def _repetitions(history):
    """Tokens `(rows,)` that would repeat what stands before, and where they would."""
    for period in range(1, _HISTORY // 2 + 1):
        token = history[:, -period]
        if period == 1:
            length, shift = 2, 1  # x x x
        elif period < 4:
            length, shift = period, period  # x y x y
        else:
            length, shift = period - 1, period  # x y z w x y z
        recent, earlier = history[:, -length:], history[:, -length - shift : -shift]
        yield token, ops.all(ops.equal(recent, earlier), axis=-1)


def greedy_search(step, states, begin, end, steps):
    """Choose the most probable token at every step.

    Args:
        step: The decoder, as described above.
        states: Its initial states, a nest of tensors `(rows, ...)`.
        begin: Integers `(rows,)`, the token before the first.
        end: Integer, the token that ends a sequence.
        steps: Integer, the maximum number of tokens.

    Returns:
        `Sequences`.
    """

    def choose(time, log_probabilities):
        return ops.cast(ops.argmax(log_probabilities, axis=-1), "int32")

    return _decode(step, states, begin, end, steps, choose)


def sample(step, states, begin, end, steps, uniforms, temperature=1.0, top_k=0, top_p=1.0):
    """Draw every token from the decoder's distribution, or from its most probable tokens.

    Args:
        step, states, begin, end, steps: As for `greedy_search`.
        uniforms: `(steps, rows)`, uniform random numbers from 0 to 1. Equal numbers draw equal
            tokens.
        temperature: Divisor of the log-probabilities. Below 1, probable tokens become more
            probable.
        top_k: Integer, the number of most probable tokens to draw from (Fan, Lewis & Dauphin
            2018); 0 for all.
        top_p: Draw from the most probable tokens that together have this probability, at least
            one (nucleus sampling, Holtzman et al. 2020).

    Returns:
        `Sequences`, scored with the decoder's own distribution, at temperature 1.
    """

    def choose(time, log_probabilities):
        size = log_probabilities.shape[-1]
        ordered, tokens = ops.top_k(log_probabilities / temperature, size)
        probabilities = ops.softmax(ordered, axis=-1)  # (rows, vocabulary), descending
        rank = ops.arange(size, dtype="int32")
        limit = ops.where(ops.equal(top_k, 0), size, top_k)
        cumulative_before = ops.cumsum(probabilities, axis=-1) - probabilities
        nucleus = cumulative_before < ops.maximum(top_p, 1e-9)
        allowed = ops.logical_and(rank < limit, nucleus)
        cumulative = ops.cumsum(ops.where(allowed, probabilities, 0.0), axis=-1)
        threshold = ops.take(uniforms, time, axis=0)[:, None] * cumulative[:, -1:]
        index = ops.sum(ops.cast(cumulative <= threshold, "int32"), axis=-1, keepdims=True)
        last = ops.sum(ops.cast(allowed, "int32"), axis=-1, keepdims=True) - 1
        index = ops.minimum(index, last)
        return ops.take_along_axis(ops.cast(tokens, "int32"), index, axis=1)[:, 0]

    return _decode(step, states, begin, end, steps, choose)


def _decode(step, states, begin, end, steps, choose):
    """`Sequences` of tokens that `choose(time, log_probabilities)` returns."""
    rows = ops.shape(begin)[0]
    begin = ops.cast(begin, "int32")
    memory = step(begin, states)[2].shape[-1]  # an extra step, for the size of the memory

    def body(time, last, done, states, tokens, log_probabilities, attention):
        predicted, states, attended = step(last, states)
        predicted = ops.cast(predicted, "float32")
        token = ops.where(done, 0, choose(time, predicted))
        chosen = ops.take_along_axis(predicted, token[:, None], axis=1)[:, 0]
        tokens = _write(tokens, time, token)
        log_probabilities = _write(log_probabilities, time, ops.where(done, 0.0, chosen))
        active = ops.cast(ops.logical_not(done), "float32")[:, None]
        attention = _write(attention, time, ops.cast(attended, "float32") * active)
        done = ops.logical_or(done, ops.equal(token, end))
        return time + 1, token, done, states, tokens, log_probabilities, attention

    start = (
        ops.zeros((), "int32"),
        begin,
        ops.zeros((rows,), "bool"),
        states,
        ops.zeros((rows, steps), "int32"),
        ops.zeros((rows, steps), "float32"),
        ops.zeros((rows, steps, memory), "float32"),
    )
    *_, tokens, log_probabilities, attention = ops.while_loop(_unfinished(steps), body, start)
    lengths = ops.sum(ops.cast(ops.not_equal(tokens, 0), "int32"), axis=-1)
    scores = ops.sum(log_probabilities, axis=-1)
    return Sequences(tokens, lengths, scores, log_probabilities, attention)


def _unfinished(steps):
    """The condition of a decoding loop: there are steps left, and rows that have not ended."""
    return lambda time, last, done, *_: ops.logical_and(
        time < steps, ops.any(ops.logical_not(done))
    )


def beam_search(step, states, begin, end, steps, width, alpha=0.0):
    """Beam search with `width` beams, and the greedy sequence in a beam of its own.

    Beam search may drop the greedy sequence on the way. With a beam of its own for it, the best
    sequence is never less probable than the greedy one. When beams are reordered, the decoder's
    states and attention weights are reordered with them.

    Args:
        step, states, begin, end, steps: As for `greedy_search`.
        width: Integer, the number of beams, without the greedy one.
        alpha: Exponent of the length penalty; 0 prefers short sequences.

    Returns:
        `Beams`.
    """
    rows, beams = ops.shape(begin)[0], width + 1
    begin = ops.repeat(ops.cast(begin, "int32"), beams, axis=0)  # (rows * beams,)
    states = keras.tree.map_structure(lambda state: ops.repeat(state, beams, axis=0), states)
    memory = step(begin, states)[2].shape[-1]  # an extra step, for the size of the memory

    def body(time, last, done, scores, states, tokens, log_probabilities, attention, tree):
        predicted, states, attended = step(last, states)
        predicted = _continue_with_zeros(ops.cast(predicted, "float32"), done)
        predicted = ops.reshape(predicted, (-1, beams, predicted.shape[-1]))
        totals = scores[..., None] + predicted  # (rows, beams, vocabulary)
        candidates, parents, token, new_scores = _choose_beams(totals, width)
        tree = {name: _write(tree[name], time, candidates[name]) for name in tree}

        def of_parents(values):
            return ops.take_along_axis(values, parents, axis=1)

        ended, previous_scores = of_parents(done), of_parents(scores)
        attended = ops.where(ops.reshape(done, (-1, 1)), 0.0, ops.cast(attended, "float32"))
        states, tokens, log_probabilities, attention, attended = _reorder(
            (states, tokens, log_probabilities, attention, attended), parents
        )
        added = ops.where(ended, 0.0, new_scores - previous_scores)
        token_in_rows = ops.reshape(token, (-1,))
        tokens = _write(tokens, time, token_in_rows)
        log_probabilities = _write(log_probabilities, time, ops.reshape(added, (-1,)))
        attention = _write(attention, time, attended)
        done = ops.logical_or(ended, ops.equal(token, end))
        sequences = (states, tokens, log_probabilities, attention)
        return time + 1, token_in_rows, done, new_scores, *sequences, tree

    # All beams begin alike: only one, and the greedy one, may be continued at the first step.
    first_scores = ops.where(ops.arange(beams) % width == 0, 0.0, MIN_LOG_PROBABILITY)
    start = (
        ops.zeros((), "int32"),
        begin,
        ops.zeros((rows, beams), "bool"),
        ops.zeros((rows, beams), "float32") + first_scores,
        states,
        ops.zeros((rows * beams, steps), "int32"),
        ops.zeros((rows * beams, steps), "float32"),
        ops.zeros((rows * beams, steps, memory), "float32"),
        _empty_tree(rows, steps, width),
    )
    _, _, _, scores, _, tokens, log_probabilities, attention, tree = ops.while_loop(
        _unfinished(steps), body, start
    )
    sequences, normalized = _sort_beams(tokens, scores, log_probabilities, attention, alpha)
    return Beams(sequences, normalized, tree)


def _reorder(nest, parents):
    """Put beams in another order, or several in the place of one.

    Args:
        nest: Nest of tensors `(rows * beams, ...)`.
        parents: For each beam the one whose entries it gets, `(rows, beams)`.
    """
    rows, beams = ops.shape(parents)
    first_beam = ops.arange(rows, dtype="int32")[:, None] * beams  # of each row
    indices = ops.reshape(first_beam + parents, (-1,))
    return keras.tree.map_structure(lambda part: ops.take(part, indices, axis=0), nest)


def _sort_beams(tokens, scores, log_probabilities, attention, alpha):
    """`Sequences` `(rows, beams, ...)` with the best first, and their normalised scores."""
    beams = scores.shape[-1]
    lengths = ops.sum(ops.cast(ops.not_equal(tokens, 0), "int32"), axis=-1)
    divisors = length_penalty(ops.maximum(ops.reshape(lengths, (-1, beams)), 1), alpha)
    normalized = scores / divisors
    order = ops.argsort(-normalized, axis=-1)
    flat = (tokens, lengths, ops.reshape(scores, (-1,)), log_probabilities, attention)
    ordered = [ops.reshape(part, (-1, beams, *part.shape[1:])) for part in _reorder(flat, order)]
    return Sequences(*ordered), ops.take_along_axis(normalized, order, axis=1)


def _empty_tree(rows, steps, width):
    """`Beams.tree` before the first step."""
    shape = (rows, steps, 2 * width)
    return {
        "parent": ops.zeros(shape, "int32"),
        "token": ops.zeros(shape, "int32"),
        "score": ops.full(shape, MIN_LOG_PROBABILITY),
    }


def _continue_with_zeros(log_probabilities, done):
    """Let beams that have ended continue with token 0 alone, at no cost."""
    only_zero = ops.where(ops.arange(log_probabilities.shape[-1]) == 0, 0.0, MIN_LOG_PROBABILITY)
    return ops.where(ops.reshape(done, (-1, 1)), only_zero, log_probabilities)


def _choose_beams(totals, width):
    """The continuations that a beam search keeps.

    Args:
        totals: Scores of all continuations, `(rows, width + 1, vocabulary)`, of the greedy beam
            last.
        width: Number of beams without the greedy one.

    Returns:
        The best `2 * width` candidates as in `Beams.tree`, `(rows, 2 * width)` each; and of the
        `width + 1` kept continuations the beams that they continue, their tokens and their scores,
        `(rows, width + 1)` each.
    """
    vocabulary = totals.shape[-1]
    best, indices = ops.top_k(ops.reshape(totals[:, :width], (-1, width * vocabulary)), 2 * width)
    indices = ops.cast(indices, "int32")
    candidates = {"parent": indices // vocabulary, "token": indices % vocabulary}
    candidates["score"] = ops.maximum(best, MIN_LOG_PROBABILITY)
    greedy = ops.cast(ops.argmax(totals[:, width], axis=-1), "int32")[:, None]
    greedy_continuation = {
        "parent": ops.full_like(greedy, width),
        "token": greedy,
        "score": ops.take_along_axis(totals[:, width], greedy, axis=1),
    }
    continuations = [
        ops.concatenate([candidates[name][:, :width], greedy_continuation[name]], axis=1)
        for name in ("parent", "token", "score")
    ]
    return candidates, *continuations


def _write(values, time, new):
    """`values` `(rows, steps, ...)` with `new` `(rows, ...)` at a step."""
    is_now = ops.equal(ops.arange(values.shape[1], dtype="int32"), time)
    is_now = ops.reshape(is_now, (1, -1, *[1] * (len(values.shape) - 2)))
    return ops.where(is_now, ops.expand_dims(new, 1), values)
