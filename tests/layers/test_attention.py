"""Attention: numbers worked out by hand, masks, Keras's own layers, gradients, round trips."""

import doctest

import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.autodiff import BACKEND, randomise
from unrolled.layers import (
    AdditiveAttention,
    Attention,
    DotAttention,
    KerasAdditiveAttention,
    attention,
)

KINDS = {
    "additive": (AdditiveAttention, {"units": 6}),
    "dot": (DotAttention, {}),
    "general": (DotAttention, {"general": True}),
    "general unscaled": (DotAttention, {"general": True, "scaled": False}),
}
RNG = np.random.default_rng(0)
QUERY = RNG.normal(size=(2, 3, 4)).astype("float32")
MEMORY = RNG.normal(size=(2, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], bool)


def make(kind, **more):
    layer, options = KINDS[kind]
    layer = layer(**options, **more)
    layer.build(QUERY.shape, MEMORY.shape)
    randomise(layer)
    return layer


def called(layer, *arguments, **named):
    return [ops.convert_to_numpy(x) for x in layer(*arguments, **named)]


def test_examples_in_the_docstrings():
    results = doctest.testmod(attention, extraglobs={"np": np})
    assert results.attempted >= 6
    assert results.failed == 0


# A memory of two steps, (1, 0) and (0, 2); the query is (1, 1).


def test_dot_attention_by_hand():
    query, memory = np.array([[[1.0, 1.0]]]), np.array([[[1.0, 0.0], [0.0, 2.0]]])
    context, weights = called(DotAttention(scaled=False), query, memory)
    # The scores are 1 and 2, so the second step weighs e times the first.
    assert weights[0, 0].tolist() == pytest.approx([0.26894142, 0.73105858], abs=1e-6)
    assert context[0, 0].tolist() == pytest.approx([0.26894142, 1.46211716], abs=1e-6)
    _, weights = called(DotAttention(), query, memory)
    # Scaled they differ by 1 / √2: 1 / (1 + exp(0.70710678)) = 0.33023845.
    assert weights[0, 0].tolist() == pytest.approx([0.33023845, 0.66976155], abs=1e-6)


def test_general_attention_by_hand():
    layer = DotAttention(general=True, scaled=False)
    layer.build((1, 1, 2), (1, 2, 2))
    layer.set_weights([np.array([[0.0, 0.0], [2.0, 1.0]])])
    _, weights = called(layer, np.array([[[1.0, 1.0]]]), np.array([[[1.0, 0.0], [0.0, 2.0]]]))
    assert weights[0, 0].tolist() == pytest.approx([0.5, 0.5], abs=1e-6)  # both scores are 2


def test_additive_attention_by_hand():
    layer = AdditiveAttention(1)
    layer.build((1, 1, 2), (1, 2, 2))
    weights = [[0.5], [0.0]], [[0.5], [-0.25]], [0.1], [[2.0]]
    layer.set_weights([np.array(weight) for weight in weights])
    _, weights = called(layer, np.array([[[1.0, 1.0]]]), np.array([[[1.0, 0.0], [0.0, 2.0]]]))
    # 2 tanh(0.5 + 0.5 + 0.1) = 1.6009980 and 2 tanh(0.5 - 0.5 + 0.1) = 0.1993360
    expected = 1 / (1 + np.exp(0.1993360 - 1.6009980))
    assert weights[0, 0].tolist() == pytest.approx([expected, 1 - expected], abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_steps_have_no_weight_and_no_effect(kind):
    layer = make(kind)
    context, weights = called(layer, QUERY, MEMORY, memory_mask=MASK)
    assert (weights[1, :, 3:] == 0).all()
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    short, _ = called(layer, QUERY[1:], MEMORY[1:, :3])
    np.testing.assert_allclose(context[1:], short, atol=1e-6)
    empty, weights = called(layer, QUERY, MEMORY, memory_mask=np.zeros_like(MASK))
    assert (empty == 0).all()
    assert (weights == 0).all()


def test_a_mask_may_be_a_list_and_units_an_integer_of_numpy():
    layer = AdditiveAttention(np.int64(6))
    assert type(layer.units) is int
    expected = called(layer, QUERY, MEMORY, memory_mask=MASK)
    for ours, theirs in zip(
        called(layer, QUERY, MEMORY, memory_mask=MASK.tolist()), expected, strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match=r"`memory_mask` must have.*\(2, 4\)"):
        layer(QUERY, MEMORY, memory_mask=MASK[:, :4].tolist())


@pytest.mark.parametrize("masked", [False, True])
def test_dot_attention_equals_keras(masked):
    layer = keras.layers.Attention(use_scale=True)
    layer.build([QUERY.shape, MEMORY.shape])
    layer.set_weights([np.array(0.5)])  # 1 / √4
    mask = [None, ops.convert_to_tensor(MASK)] if masked else None
    expected = layer([QUERY, MEMORY], mask=mask, return_attention_scores=True)
    results = called(make("dot"), QUERY, MEMORY, memory_mask=MASK if masked else None)
    for ours, theirs in zip(results, expected, strict=True):
        np.testing.assert_allclose(ours, ops.convert_to_numpy(theirs), atol=1e-6)


def test_additive_attention_equals_keras():
    # Keras's layer has no products of its own: give it ours, done beforehand.
    layer = make("additive")
    query_kernel, memory_kernel, bias, score_kernel = layer.get_weights()
    theirs = keras.layers.AdditiveAttention()
    query, key = QUERY @ query_kernel, MEMORY @ memory_kernel + bias
    theirs.build([query.shape, MEMORY.shape, key.shape])
    theirs.set_weights([score_kernel[:, 0]])
    expected = theirs([query, MEMORY, key], return_attention_scores=True)
    for ours, other in zip(called(layer, QUERY, MEMORY), expected, strict=True):
        np.testing.assert_allclose(ours, ops.convert_to_numpy(other), atol=1e-6)


@pytest.mark.parametrize("scaled", [False, True])
def test_keys_apart_from_the_memory_equal_keras(scaled):
    keys = RNG.normal(size=(2, 5, 4)).astype("float32")
    values = RNG.normal(size=(2, 5, 7)).astype("float32")
    theirs = keras.layers.Attention(use_scale=True)
    theirs.build([QUERY.shape, values.shape, keys.shape])
    theirs.set_weights([np.array(0.5 if scaled else 1.0)])  # 1 / √4
    mask = [None, ops.convert_to_tensor(MASK)]
    expected = theirs([QUERY, values, keys], mask=mask, return_attention_scores=True)
    results = called(DotAttention(scaled=scaled), QUERY, values, memory_mask=MASK, keys=keys)
    assert results[0].shape == (2, 3, 7)
    for one, other in zip(results, expected, strict=True):
        np.testing.assert_allclose(one, ops.convert_to_numpy(other), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_keys_have_features_of_their_own(kind):
    keys = RNG.normal(size=(2, 5, 4 if kind == "dot" else 6)).astype("float32")
    layer, options = KINDS[kind]
    layer = layer(**options)
    context, weights = called(layer, QUERY, MEMORY[..., :2], memory_mask=MASK, keys=keys)
    assert context.shape == (2, 3, 2)
    np.testing.assert_allclose(context, weights @ MEMORY[..., :2], atol=1e-6)
    _, same = called(layer, QUERY, keys, memory_mask=MASK)
    np.testing.assert_allclose(weights, same, atol=1e-6)


def test_the_context_has_the_mask_of_the_query():
    embedding = keras.layers.Embedding(5, 4, mask_zero=True)
    words = np.array([[1, 2, 0], [3, 0, 0]])
    context, weights = DotAttention()(embedding(words), MEMORY)
    after = keras.layers.GlobalAveragePooling1D()(context)
    expected = ops.convert_to_numpy(context)[1, 0]  # the one word of the second sequence
    np.testing.assert_allclose(ops.convert_to_numpy(after)[1], expected, atol=1e-6)
    assert getattr(weights, "_keras_mask", None) is None


@pytest.mark.skipif(BACKEND != "tensorflow", reason="differentiates with TensorFlow's tape")
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_equal_finite_differences(kind):
    import tensorflow as tf

    layer = make(kind, dtype="float64")
    query, memory = tf.Variable(QUERY, dtype="float64"), tf.Variable(MEMORY, dtype="float64")

    def loss():
        context, weights = layer(query, memory, memory_mask=MASK)
        return tf.reduce_sum(tf.sin(context)) + tf.reduce_sum(weights**2)

    with tf.GradientTape() as tape:
        total = loss()
    variables = [query, memory, *(weight.value for weight in layer.trainable_variables)]
    gradients = tape.gradient(total, variables)
    step = 1e-5
    for variable, gradient in zip(variables, gradients, strict=True):
        whole = variable.numpy()
        for place in [(0,) * whole.ndim, (-1,) * whole.ndim]:
            ends = []
            for sign in (1, -1):
                moved = whole.copy()
                moved[place] += sign * step
                variable.assign(moved)
                ends.append(float(loss()))
            variable.assign(whole)
            slope = (ends[0] - ends[1]) / (2 * step)
            assert gradient.numpy()[place] == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_float32_under_mixed_precision(kind):
    layer = make(kind, dtype="mixed_bfloat16")
    context, weights = layer(QUERY, MEMORY, memory_mask=MASK)
    assert keras.backend.standardize_dtype(context.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(weights.dtype) == "float32"
    np.testing.assert_allclose(ops.convert_to_numpy(weights).sum(axis=-1), 1, atol=1e-6)
    _, expected = called(make(kind), QUERY, MEMORY, memory_mask=MASK)
    np.testing.assert_allclose(ops.convert_to_numpy(weights), expected, atol=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_gives_the_same_outputs(kind, tmp_path):
    query, memory = keras.Input((3, 4)), keras.Input((None, 4))
    mask = keras.Input((None,), dtype="bool")
    layer = make(kind)
    model = keras.Model([query, memory, mask], layer(query, memory, memory_mask=mask))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(
        model([QUERY, MEMORY, MASK]), again([QUERY, MEMORY, MASK]), strict=True
    ):
        np.testing.assert_array_equal(ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs))
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_attached_to_the_memory_counts(kind):
    layer = make(kind)
    embedding = keras.layers.Embedding(5, 4, mask_zero=True)
    words = np.array([[1, 2, 0, 0], [3, 4, 1, 0]])
    memory = embedding(words)
    context, weights = called(layer, QUERY, memory)
    assert (weights[0, :, 2:] == 0).all()
    expected = called(layer, QUERY, ops.convert_to_numpy(memory), memory_mask=words != 0)
    np.testing.assert_array_equal(context, expected[0])
    query, tokens = keras.Input((3, 4)), keras.Input((None,), dtype="int32")
    model = keras.Model([query, tokens], layer(query, embedding(tokens)))
    np.testing.assert_allclose(called(model, [QUERY, words])[0], expected[0], atol=1e-6)


@pytest.mark.parametrize("masked", [False, True])
def test_a_causal_query_reads_no_later_step(masked):
    mask = MASK if masked else None
    context, weights = called(make("dot"), QUERY, MEMORY, memory_mask=mask, causal=True)
    assert (weights[:, np.arange(3)[:, None] < np.arange(5)] == 0).all()
    expected, _ = called(make("dot"), QUERY[:, :2], MEMORY[:, :2], causal=True)
    np.testing.assert_allclose(context[:, :2], expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_of_the_weights_applies_in_training(kind):
    layer = make(kind, dropout=0.5, seed=1)
    _, plain = called(layer, QUERY, MEMORY)
    _, dropped = called(layer, QUERY, MEMORY, training=True)
    kept = dropped != 0
    assert 0 < kept.sum() < kept.size
    np.testing.assert_allclose(dropped[kept], 2 * plain[kept], rtol=1e-5)


@pytest.mark.parametrize("key", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Attention", {}),
        ("Attention", {"use_scale": True}),
        ("Attention", {"score_mode": "concat"}),
        ("Attention", {"use_scale": True, "score_mode": "concat", "dropout": 0.5, "seed": 3}),
        ("AdditiveAttention", {}),
        ("AdditiveAttention", {"use_scale": False}),
    ],
)
def test_attention_of_keras_equals_keras(name, options, key):
    inputs = [QUERY, MEMORY, RNG.normal(size=MEMORY.shape)] if key else [QUERY, MEMORY]
    masks = [None, [MASK[:, :3], None], [None, MASK], [MASK[:, 2:], MASK]]
    ours = {"Attention": Attention, "AdditiveAttention": KerasAdditiveAttention}[name](**options)
    theirs = getattr(keras.layers, name)(**options)
    assert ours.get_config().keys() == theirs.get_config().keys()
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()
    for layer in (ours, theirs):
        layer.build([each.shape for each in inputs])
    for weight in theirs.weights:
        weight.assign(np.linspace(0.3, 0.7, np.size(weight)).reshape(weight.shape))
    ours.set_weights(theirs.get_weights())
    for mask in masks:
        for causal in (False, True):
            named = {"mask": mask, "use_causal_mask": causal, "training": True}
            results = [
                called(f, inputs, return_attention_scores=True, **named) for f in (ours, theirs)
            ]
            for mine, expected in zip(*results, strict=True):
                np.testing.assert_allclose(mine, expected, atol=1e-5)


def test_attention_of_keras_over_further_axes_and_masks():
    pictures = np.ones((2, 3, 5, 4), "float32")
    assert Attention()([pictures, pictures]).shape == pictures.shape
    layer, mask = Attention(), [np.array([[True, False, True]] * 2), None]
    np.testing.assert_array_equal(called(layer.compute_mask, [QUERY, MEMORY], mask), mask[0])
    assert layer.compute_mask([QUERY, MEMORY], None) is None
    symbolic = layer([keras.Input((3, 4)), keras.Input((5, 4))], return_attention_scores=True)
    assert [each.shape for each in symbolic] == [(None, 3, 4), (None, 3, 5)]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: DotAttention(dropout=1), "`dropout` must be in"),
        (lambda: Attention(score_mode="sum"), "score_mode"),
        (lambda: Attention()(QUERY), "must be called on a list"),
        (lambda: Attention()([QUERY] * 4), "length 2 or 3"),
        (lambda: Attention()([QUERY, MEMORY], mask=MASK), "mask must be a list"),
        (lambda: AdditiveAttention(0), "`units` must be a positive integer"),
        (lambda: AdditiveAttention(True), "`units` must be a positive integer"),
        (lambda: DotAttention()(QUERY[..., :2], MEMORY), "unless `general=True`"),
        (
            lambda: DotAttention()(QUERY, MEMORY, memory_mask=MASK[:, :4]),
            "`memory_mask` must have the shape",
        ),
        (lambda: make("dot")(QUERY, MEMORY, keys=MEMORY[:, :4]), "`keys` must have the batch and"),
        (lambda: make("additive")(QUERY[0], MEMORY), "`query` must have the shape"),
    ],
)
def test_wrong_arguments_are_named(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
