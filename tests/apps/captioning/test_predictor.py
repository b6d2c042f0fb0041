from itertools import pairwise

import keras
import numpy as np
import pytest

from apps.captioning.model import END, Captioner
from apps.captioning.predictor import ENCODER_FILE, FOLDER, MAX_STEPS, Predictor
from shared import bundle, images
from shared.errors import UserError
from shared.image_encoder import ImageEncoder
from shared.text import WordTokenizer

pytestmark = pytest.mark.slow

WORDS = ["[BEGIN]", "[END]", "a", "dog", "cat", "runs", "sits", "in", "the", "snow"]
TINY = {"stem": 4, "blocks": ((2, 4, 1, 2), (2, 6, 1, 2), (2, 6, 1, 2), (2, 8, 2, 2))}


@pytest.fixture(scope="module")
def predictor():
    tokenizer = WordTokenizer.build(WORDS)
    keras.utils.set_random_seed(3)
    network = Captioner(tokenizer.size, dimensions=8, units=16, features=12, seed=3)
    network.build()
    rng = np.random.default_rng(3)

    def larger(weight):  # far from zero, so that photos and words differ
        return weight + rng.normal(0, 0.6, weight.shape)

    network.set_weights([larger(weight) for weight in network.get_weights()])
    bias = np.asarray(network.output_bias)
    network.output_bias.assign(bias - 2.0 * (np.arange(len(bias)) == END))
    encoder = ImageEncoder(**TINY, features=12)
    encoder.build()
    encoder.set_weights([w if w.ndim == 1 else larger(w) for w in encoder.get_weights()])
    return Predictor(network, tokenizer, encoder, {})


def photo(seed=0, size=(64, 96)):
    """Blocks of random colours."""
    blocks = np.random.default_rng(seed).integers(0, 256, (size[0] // 32, size[1] // 32, 3))
    return blocks.repeat(32, axis=0).repeat(32, axis=1).astype("uint8")


def drawing():
    """A disc, stripes and gradients."""
    down, across = np.mgrid[:224, :224]
    image = np.stack([across, down, 223 - across], axis=-1)
    image[(down - 90) ** 2 + (across - 130) ** 2 < 50**2] = (250, 210, 40)
    image[150:200, 20:200:2] = 0
    return image.astype("uint8")


def test_the_shipped_encoder_gives_the_recorded_features():
    card = bundle.read_card(FOLDER)
    encoder = ImageEncoder.load(FOLDER / ENCODER_FILE, **card["encoder"]["network"])
    features = np.asarray(encoder(drawing()[None]))[0]
    assert features.shape == (7, 7, 1280)
    # Recorded once; the convolutions of TensorFlow and JAX agree to six digits.
    assert (features.mean(), features.std()) == pytest.approx((0.29401, 1.01218), rel=1e-3)
    rows = [0.0448, 0.1967, 0.5104, 0.5701, 0.4471, 0.2296, 0.0593]
    np.testing.assert_allclose(features.mean(axis=(1, 2)), rows, atol=1e-3)
    assert features[4, 5, 515] == pytest.approx(4.2289, abs=0.01)
    assert features[4, 1, 36] == pytest.approx(1.8079, abs=0.01)
    strongest = np.argsort(features.mean(axis=(0, 1)))[:-6:-1]
    assert strongest.tolist() == [336, 973, 15, 1254, 562]


def squash(array):
    return images.squash(images.read(array))


def best_caption(predictor, **options):
    return predictor.describe([photo()], **options)[0].captions[0]


def test_captions_are_distinct_sorted_and_consistent(predictor):
    description = predictor.describe([photo()], width=4)[0]
    scores = [caption.score for caption in description.captions]
    assert len(scores) > 1 and scores == sorted(scores, reverse=True)
    assert len({caption.words for caption in description.captions}) == len(scores)
    for caption in description.captions:
        length = len(caption.words) + caption.is_complete
        assert caption.word_probabilities.shape == caption.gate.shape == (length,)
        assert caption.attention.shape == (length, 7, 7)
        np.testing.assert_allclose(caption.attention.sum(axis=(1, 2)), 1, atol=1e-4)
        assert np.all((caption.word_probabilities > 0) & (caption.word_probabilities <= 1))
        assert np.all((caption.gate > 0) & (caption.gate < 1))
        assert not {"[PAD]", "[UNK]", "[BEGIN]", "[END]"} & set(caption.words)
        product = caption.word_probabilities.prod()
        np.testing.assert_allclose(caption.probability, product, rtol=1e-3)
        assert caption.text.lower() == " ".join(caption.words) + "."
    assert description.text == description.captions[0].text
    assert description.tree["token"].shape == (MAX_STEPS, 8)


def test_probabilities_equal_those_of_the_network(predictor):
    best = best_caption(predictor, alpha=0.0)
    token_ids = [2, *(predictor.words.index(word) for word in best.words)]
    inputs = (predictor.encode([squash(photo())]), np.array([[token_ids]], "int32"))
    logits = np.asarray(predictor.network(inputs))[0, 0]
    distributions = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    following = [*token_ids[1:], 3][: len(best.word_probabilities)]
    expected = [distributions[place, token_id] for place, token_id in enumerate(following)]
    np.testing.assert_allclose(best.word_probabilities, expected, rtol=1e-3)
    np.testing.assert_allclose(best.score, np.log(expected).sum(), rtol=1e-3)


def test_no_caption_repeats_a_word_at_once_or_a_pair_of_words(predictor):
    photos = [photo(seed) for seed in range(8)]
    for width in (1, 4):
        for description in predictor.describe(photos, width=width):
            for caption in description.captions:
                pairs = list(pairwise(caption.words))
                assert len(set(pairs)) == len(pairs)
                assert all(one != other for one, other in pairs)
    features = predictor.encode([squash(each) for each in photos])
    tokens = predictor.sample_features(features, temperature=0.3)[0]
    assert (tokens[:, 1:] == tokens[:, :-1])[tokens[:, 1:] > 0].any()  # samples may


def test_a_batch_answers_as_a_single_photo_does(predictor):
    photos = [photo(seed) for seed in range(12)]
    batch = predictor.describe(photos)
    assert len(batch) == 12
    assert len({round(each.captions[0].score, 4) for each in batch}) > 6
    for n in (0, 10):
        single = predictor.describe([photos[n]])[0]
        assert single.text == batch[n].text
        one, other = (each.captions[0].word_probabilities for each in (single, batch[n]))
        np.testing.assert_allclose(one, other, rtol=1e-3)


def test_beam_width_and_length_penalty_have_an_effect(predictor):
    narrow, wide = (predictor.describe([photo()], width=w, alpha=0.0)[0] for w in (1, 6))
    assert wide.captions[0].score >= narrow.captions[0].score
    assert len(wide.captions) > len(narrow.captions)
    short, long = (best_caption(predictor, width=6, alpha=alpha) for alpha in (0.0, 2.0))
    assert len(long.words) >= len(short.words)


def test_captions_begin_with_the_prefix_even_where_it_repeats_a_word(predictor):
    free = best_caption(predictor)
    description = predictor.describe([photo()], prefix=(free.words[0], "Snow", "snow"))[0]
    for caption in description.captions:
        assert caption.words[:3] == (free.words[0], "snow", "snow")
    assert best_caption(predictor, prefix=free.words[:2]).score >= free.score - 1e-4
    # Words of the prefix keep the probabilities that the network gives them.
    first = description.captions[0].word_probabilities[0]
    np.testing.assert_allclose(first, free.word_probabilities[0], rtol=1e-3)


def test_hidden_cells_get_no_attention(predictor):
    cell = int(best_caption(predictor).attention[0].argmax())
    attention = best_caption(predictor, hidden=(cell, 48)).attention.reshape(-1, 49)
    assert not attention[:, [cell, 48]].any()
    np.testing.assert_allclose(attention.sum(axis=1), 1, atol=1e-4)
    visible, hidden = (predictor.encode([squash(photo())], hidden=h) for h in ((), (cell,)))
    assert np.abs(visible - hidden).max() > 1e-3
    assert predictor.describe([photo()], hidden=range(49))[0].captions


def test_samples_repeat_with_their_seed_and_vary_with_temperature(predictor):
    one, same, other = (
        [caption.words for caption in predictor.sample(photo(), 8, 1.0, seed).captions]
        for seed in (1, 1, 2)
    )
    assert one == same and set(one) != set(other)
    cold, hot = (
        np.mean(
            [np.log(each.mean_probability) for each in predictor.sample(photo(), 8, t).captions]
        )
        for t in (0.1, 2.0)
    )
    assert cold > hot


@pytest.mark.parametrize(
    "options",
    [
        {"width": 0},
        {"alpha": -1},
        {"prefix": ["a", "xylophone"]},
        {"prefix": ["[END]"]},
        {"prefix": ["a"] * MAX_STEPS},
        {"hidden": [49]},
        {"hidden": ["1"]},
    ],
)
def test_an_impossible_request_gets_a_sentence(predictor, options, texts):
    with pytest.raises(UserError) as error:
        predictor.describe([photo()], **options)
    texts(error.value)


def test_a_temperature_out_of_range_gets_a_sentence(predictor, texts):
    with pytest.raises(UserError) as error:
        predictor.sample(photo(), temperature=9)
    texts(error.value)


def test_a_missing_photo_is_refused(predictor):
    with pytest.raises(UserError):
        predictor.describe([None])
