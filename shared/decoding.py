"""Writing a sequence token by token: greedy, beam search and sampling, each as one graph.

A network that writes is given as `step(tokens, states) -> (log-probabilities, states, weights)`:

    tokens             integers `(rows,)`, the token written last in each row
    states             any nest of tensors `(rows, ...)`
    log-probabilities  `(rows, vocabulary)` of the next token
    weights            what each row attended to, `(rows, memory)`

The whole loop runs inside one graph and ends as soon as every row has ended. Calling a network
from Python once for each token takes many times longer; `benchmarks/decoding.py` measures it.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from shared.errors import UserError

MAX_BEAM_WIDTH, MAX_LENGTH_PENALTY = 8, 2.0  # what the site offers
IMPOSSIBLE = -1e9  # a log-probability that never wins, yet stays finite when it is added up


class Written(NamedTuple):
    """What was written, in `rows` rows of at most `steps` tokens.

    Attributes:
        tokens: Integers `(rows, steps)`, the end token included, 0 after it.
        lengths: Integers `(rows,)`, how many tokens were written, the end token included.
        scores: `(rows,)`, the sum of the tokens' log-probabilities.
        each: `(rows, steps)`, the log-probability of each token, 0 after the end.
        weights: `(rows, steps, memory)`, what each step attended to, 0 after the end.
    """

    tokens: Any
    lengths: Any
    scores: Any
    each: Any
    weights: Any


class Beams(NamedTuple):
    """What a beam search found, in `width + 1` lanes, the best first.

    Attributes:
        written: A `Written` with a lanes' axis after the rows': tokens `(rows, lanes, steps)`.
        normalised: `(rows, lanes)`, the scores divided by the length penalty, by which the lanes
            are ordered.
        tree: Dict of the best `2 * width` continuations weighed at each step, `(rows, steps, 2 *
            width)` each, of which the first `width` were kept: `parent` (the place among those
            kept a step before), `token` and `score`; `IMPOSSIBLE` where there was none.
    """

    written: Written
    normalised: Any
    tree: dict


def length_penalty(lengths, alpha):
    """((5 + length) / 6) ** alpha, by which scores are divided (Wu et al. 2016); 1 for alpha 0."""
    return ((5.0 + ops.cast(lengths, "float32")) / 6.0) ** alpha


def check_search(width, alpha):
    """Refuse a beam width or a length penalty that the site does not offer.

    Raises:
        UserError: the message names the range.
    """
    if not isinstance(width, int) or not 1 <= width <= MAX_BEAM_WIDTH:
        raise UserError(f"The beam width must be a whole number from 1 to {MAX_BEAM_WIDTH}.")
    if not isinstance(alpha, int | float) or not 0 <= alpha <= MAX_LENGTH_PENALTY:
        raise UserError(f"The length penalty must be a number from 0 to {MAX_LENGTH_PENALTY:g}.")


def greedy(step, states, begin, end, steps):
    """Write the likeliest token at every step.

    Args:
        step: The network, as above.
        states: Its first states, a nest of tensors `(rows, ...)`.
        begin: Integers `(rows,)`, the token before the first.
        end: Integer, the token that ends a sequence.
        steps: Integer, most tokens to write.

    Returns:
        `Written`.
    """

    def choose(time, log_probabilities):
        return ops.cast(ops.argmax(log_probabilities, axis=-1), "int32")

    return _write(step, states, begin, end, steps, choose)


def sample(step, states, begin, end, steps, chances, temperature=1.0, top_k=0, top_p=1.0):
    """Draw every token from the network's distribution, or from the likelier part of it.

    Args:
        step, states, begin, end, steps: As for `greedy`.
        chances: `(steps, rows)`, uniform numbers from 0 to 1; the same numbers draw the same
            tokens.
        temperature: Divides the log-probabilities: below 1 the likely tokens become likelier.
        top_k: Integer, keep only so many tokens (Fan, Lewis & Dauphin 2018); 0 for all.
        top_p: Keep the likeliest tokens that together have this probability (Holtzman et al.
            2020), at least one.

    Returns:
        `Written`; its scores are under the network's own distribution.
    """

    def choose(time, log_probabilities):
        size = log_probabilities.shape[-1]
        ordered, places = ops.top_k(log_probabilities / temperature, size)
        probabilities = ops.softmax(ordered, axis=-1)  # (rows, vocabulary), the likeliest first
        rank = ops.arange(size, dtype="int32")
        limit = ops.where(ops.equal(top_k, 0), size, top_k)
        before = ops.cumsum(probabilities, axis=-1) - probabilities
        kept = ops.logical_and(rank < limit, before < ops.maximum(top_p, 1e-9))
        reached = ops.cumsum(ops.where(kept, probabilities, 0.0), axis=-1)
        wanted = ops.take(chances, time, axis=0)[:, None] * reached[:, -1:]
        place = ops.sum(ops.cast(reached <= wanted, "int32"), axis=-1, keepdims=True)
        last = ops.sum(ops.cast(kept, "int32"), axis=-1, keepdims=True) - 1
        return ops.take_along_axis(ops.cast(places, "int32"), ops.minimum(place, last), axis=1)[
            :, 0
        ]

    return _write(step, states, begin, end, steps, choose)


def _write(step, states, begin, end, steps, choose):
    rows = ops.shape(begin)[0]
    begin = ops.cast(begin, "int32")
    # One step in vain tells how wide the memory is.
    memory = step(begin, states)[2].shape[-1]

    def body(time, last, done, states, tokens, each, weights):
        log_probabilities, states, attended = step(last, states)
        log_probabilities = ops.cast(log_probabilities, "float32")
        token = ops.where(done, 0, choose(time, log_probabilities))
        chosen = ops.take_along_axis(log_probabilities, token[:, None], axis=1)[:, 0]
        tokens = _put(tokens, time, token)
        each = _put(each, time, ops.where(done, 0.0, chosen))
        live = ops.cast(ops.logical_not(done), "float32")[:, None]
        weights = _put(weights, time, ops.cast(attended, "float32") * live)
        done = ops.logical_or(done, ops.equal(token, end))
        return time + 1, token, done, states, tokens, each, weights

    start = (
        ops.zeros((), "int32"),
        begin,
        ops.zeros((rows,), "bool"),
        states,
        ops.zeros((rows, steps), "int32"),
        ops.zeros((rows, steps), "float32"),
        ops.zeros((rows, steps, memory), "float32"),
    )
    *_, tokens, each, weights = ops.while_loop(
        lambda time, last, done, *_: ops.logical_and(time < steps, ops.any(ops.logical_not(done))),
        body,
        start,
    )
    lengths = ops.sum(ops.cast(ops.not_equal(tokens, 0), "int32"), axis=-1)
    return Written(tokens, lengths, ops.sum(each, axis=-1), each, weights)


def beam(step, states, begin, end, steps, width, alpha=0.0):
    """Beam search: keep the `width` likeliest beginnings, and the greedy one in a lane of its own.

    A beam may lose the greedy sequence on the way; with its own lane the answer is never less
    likely than the greedy one. Where hypotheses change places, all that belongs to them does: the
    network's states and what it attended to.

    Args:
        step, states, begin, end, steps: As for `greedy`.
        width: Integer, how many beginnings to keep.
        alpha: Exponent of the length penalty; 0 prefers short sequences.

    Returns:
        `Beams`.
    """
    rows, lanes = ops.shape(begin)[0], width + 1
    begin = ops.repeat(ops.cast(begin, "int32"), lanes, axis=0)  # (rows * lanes,)
    states = keras.tree.map_structure(lambda state: ops.repeat(state, lanes, axis=0), states)
    memory = step(begin, states)[2].shape[-1]
    offset = ops.arange(rows, dtype="int32")[:, None] * lanes  # of each row's first lane

    def reorder(nest, parents):
        places = ops.reshape(offset + parents, (-1,))
        return keras.tree.map_structure(lambda part: ops.take(part, places, axis=0), nest)

    def body(time, last, done, scores, states, tokens, each, weights, tree):
        found, states, attended = step(last, states)
        found = ops.cast(found, "float32")
        vocabulary = found.shape[-1]
        # What has ended goes on with 0, at no cost.
        only_zero = ops.where(ops.arange(vocabulary) == 0, 0.0, IMPOSSIBLE)
        found = ops.where(ops.reshape(done, (-1, 1)), only_zero, found)
        found = ops.reshape(found, (-1, lanes, vocabulary))  # (rows, lanes, vocabulary)
        total = scores[..., None] + found
        weighed, places = ops.top_k(
            ops.reshape(total[:, :width], (-1, width * vocabulary)), 2 * width
        )
        places = ops.cast(places, "int32")
        candidate = {"parent": places // vocabulary, "token": places % vocabulary}
        candidate["score"] = ops.maximum(weighed, IMPOSSIBLE)
        tree = {name: _put(tree[name], time, candidate[name]) for name in tree}
        likeliest = ops.cast(ops.argmax(total[:, width], axis=-1), "int32")[:, None]
        parents = ops.concatenate(
            [candidate["parent"][:, :width], ops.full_like(likeliest, width)], axis=1
        )
        token = ops.concatenate([candidate["token"][:, :width], likeliest], axis=1)
        own = ops.take_along_axis(total[:, width], likeliest, axis=1)
        new = ops.concatenate([candidate["score"][:, :width], own], axis=1)  # (rows, lanes)

        def of_parents(values):
            return ops.take_along_axis(values, parents, axis=1)

        ended, before = of_parents(done), of_parents(scores)
        attended = ops.where(ops.reshape(done, (-1, 1)), 0.0, ops.cast(attended, "float32"))
        states, tokens, each, weights, attended = reorder(
            (states, tokens, each, weights, attended), parents
        )
        tokens = _put(tokens, time, ops.reshape(token, (-1,)))
        each = _put(each, time, ops.reshape(ops.where(ended, 0.0, new - before), (-1,)))
        weights = _put(weights, time, attended)
        done = ops.logical_or(ended, ops.equal(token, end))
        return time + 1, ops.reshape(token, (-1,)), done, new, states, tokens, each, weights, tree

    first = ops.where(ops.arange(lanes) % width == 0, 0.0, IMPOSSIBLE)  # one beginning, and greedy
    start = (
        ops.zeros((), "int32"),
        begin,
        ops.zeros((rows, lanes), "bool"),
        ops.zeros((rows, lanes), "float32") + first,
        states,
        ops.zeros((rows * lanes, steps), "int32"),
        ops.zeros((rows * lanes, steps), "float32"),
        ops.zeros((rows * lanes, steps, memory), "float32"),
        {
            "parent": ops.zeros((rows, steps, 2 * width), "int32"),
            "token": ops.zeros((rows, steps, 2 * width), "int32"),
            "score": ops.full((rows, steps, 2 * width), IMPOSSIBLE),
        },
    )
    _, _, _, scores, _, tokens, each, weights, tree = ops.while_loop(
        lambda time, last, done, *_: ops.logical_and(time < steps, ops.any(ops.logical_not(done))),
        body,
        start,
    )
    lengths = ops.sum(ops.cast(ops.not_equal(tokens, 0), "int32"), axis=-1)
    lengths = ops.reshape(lengths, (-1, lanes))
    normalised = scores / length_penalty(ops.maximum(lengths, 1), alpha)
    order = ops.argsort(-normalised, axis=-1)
    flat = Written(tokens, ops.reshape(lengths, (-1,)), ops.reshape(scores, (-1,)), each, weights)
    parts = [
        ops.reshape(part, (-1, lanes, *part.shape[1:])) for part in reorder(tuple(flat), order)
    ]
    return Beams(Written(*parts), ops.take_along_axis(normalised, order, axis=1), tree)


def _put(values, time, new):
    """`values` `(rows, steps, ...)` with `new` `(rows, ...)` at a step."""
    here = ops.equal(ops.arange(values.shape[1], dtype="int32"), time)
    here = ops.reshape(here, (1, -1, *[1] * (len(values.shape) - 2)))
    return ops.where(here, ops.expand_dims(new, 1), values)
