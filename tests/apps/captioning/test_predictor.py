import keras
import numpy as np
import pytest

from apps.captioning.model import END, Captioner
from apps.captioning.predictor import ENCODER_FILE, FOLDER, STEPS, InputError, Predictor
from shared import bundle
from shared.image_encoder import ImageEncoder
from shared.images import ImageError
from shared.text import WordTokenizer

WORDS = ["[BEGIN]", "[END]", "a", "dog", "cat", "runs", "sits", "in", "the", "snow"]
TINY = {"stem": 4, "blocks": ((2, 4, 1, 2), (2, 6, 1, 2), (2, 6, 1, 2), (2, 8, 2, 2))}


@pytest.fixture(scope="module")
def predictor():
    tokenizer = WordTokenizer.build(WORDS)
    keras.utils.set_random_seed(3)
    network = Captioner(tokenizer.size, dimensions=8, units=16, features=12, seed=3)
    network.build()
    noise = np.random.default_rng(3)

    def larger(weight):  # far from zero, so that photographs and words differ
        return weight + noise.normal(0, 0.6, weight.shape)

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
    """A disc, stripes and all shades between, drawn by hand."""
    down, across = np.mgrid[:224, :224]
    image = np.stack([across, down, 223 - across], axis=-1)
    image[(down - 90) ** 2 + (across - 130) ** 2 < 50**2] = (250, 210, 40)
    image[150:200, 20:200:2] = 0
    return image.astype("uint8")


def test_the_shipped_encoder_gives_the_features_that_were_recorded():
    card = bundle.read_card(FOLDER)
    encoder = ImageEncoder.load(FOLDER / ENCODER_FILE, **card["encoder"]["network"])
    found = np.asarray(encoder(drawing()[None]))[0]
    assert found.shape == (7, 7, 1280)
    # Recorded once; TensorFlow's and JAX's convolutions agree on them to six digits.
    assert (found.mean(), found.std()) == pytest.approx((0.29401, 1.01218), rel=1e-3)
    rows = [0.0448, 0.1967, 0.5104, 0.5701, 0.4471, 0.2296, 0.0593]
    np.testing.assert_allclose(found.mean(axis=(1, 2)), rows, atol=1e-3)
    assert found[4, 5, 515] == pytest.approx(4.2289, abs=0.01)
    assert found[4, 1, 36] == pytest.approx(1.8079, abs=0.01)
    strongest = np.argsort(found.mean(axis=(0, 1)))[:-6:-1]
    assert strongest.tolist() == [336, 973, 15, 1254, 562]


def test_captions_are_distinct_ordered_and_whole(predictor):
    found = predictor.describe([photo()], width=4)[0]
    scores = [each.score for each in found.captions]
    assert len(scores) > 1
    assert scores == sorted(scores, reverse=True)
    assert len({each.words for each in found.captions}) == len(scores)
    for each in found.captions:
        written = len(each.words) + each.ended
        assert each.each.shape == each.gate.shape == (written,)
        assert each.attention.shape == (written, 7, 7)
        np.testing.assert_allclose(each.attention.sum(axis=(1, 2)), 1, atol=1e-4)
        assert np.all((each.each > 0) & (each.each <= 1) & (each.gate > 0) & (each.gate < 1))
        assert not {"[PAD]", "[UNK]", "[BEGIN]", "[END]"} & set(each.words)
        np.testing.assert_allclose(each.probability, each.each.prod(), rtol=1e-3)
        assert each.text.lower() == " ".join(each.words) + "."
    assert found.text == found.captions[0].text
    assert found.tree["token"].shape == (STEPS, 8)


def test_the_probabilities_are_the_network_s_own(predictor):
    best = predictor.describe([photo()], alpha=0.0)[0].captions[0]
    features = predictor.encode([squashed(photo())])
    numbers = [2, *(predictor.words.index(word) for word in best.words)]
    logits = np.asarray(predictor.network((features, np.array([[numbers]], "int32"))))[0, 0]
    after = [*numbers[1:], 3][: len(best.each)]
    chances = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = [chances[place, number] for place, number in enumerate(after)]
    np.testing.assert_allclose(best.each, expected, rtol=1e-3)
    np.testing.assert_allclose(best.score, np.log(expected).sum(), rtol=1e-3)


def squashed(array):
    from shared import images

    return images.squash(images.read(array))


def test_a_batch_answers_as_one_photo_alone_does(predictor):
    photos = [photo(seed) for seed in range(12)]
    together = predictor.describe(photos)
    assert len(together) == 12
    assert len({round(each.captions[0].score, 4) for each in together}) > 6
    for number in (0, 10):
        alone = predictor.describe([photos[number]])[0]
        assert alone.text == together[number].text
        np.testing.assert_allclose(
            alone.captions[0].each, together[number].captions[0].each, rtol=1e-3
        )


def test_width_and_length_penalty_act(predictor):
    narrow, wide = (predictor.describe([photo()], width=w, alpha=0.0)[0] for w in (1, 6))
    assert wide.captions[0].score >= narrow.captions[0].score
    assert len(wide.captions) > len(narrow.captions)
    short, long = (predictor.describe([photo()], width=6, alpha=a)[0] for a in (0.0, 2.0))
    assert len(long.captions[0].words) >= len(short.captions[0].words)


def test_a_forced_beginning_is_kept_and_the_rest_goes_on_from_it(predictor):
    free = predictor.describe([photo()])[0].captions[0]
    prefix = (*free.words[:1], "Snow", "snow")
    found = predictor.describe([photo()], prefix=prefix)[0]
    for each in found.captions:
        assert each.words[:3] == (free.words[0], "snow", "snow")
    same = predictor.describe([photo()], prefix=free.words[:2])[0].captions[0]
    assert same.score >= free.score - 1e-4
    # The forced words keep the probabilities that the network gives them.
    np.testing.assert_allclose(found.captions[0].each[0], free.each[0], rtol=1e-3)


def test_hidden_cells_are_not_looked_at(predictor):
    best = predictor.describe([photo()])[0].captions[0]
    cell = int(best.attention[0].argmax())
    found = predictor.describe([photo()], hidden=(cell, 48))[0].captions[0]
    looked = found.attention.reshape(-1, 49)
    assert not looked[:, [cell, 48]].any()
    np.testing.assert_allclose(looked.sum(axis=1), 1, atol=1e-4)
    seen = predictor.encode([squashed(photo())])
    unseen = predictor.encode([squashed(photo())], hidden=(cell,))
    assert np.abs(seen - unseen).max() > 1e-3
    assert predictor.describe([photo()], hidden=range(49))[0].captions


def test_drawing_repeats_with_its_seed_and_heat_makes_it_wilder(predictor):
    one, same, other = (predictor.sample(photo(), 8, 1.0, seed) for seed in (1, 1, 2))
    assert [each.words for each in one.captions] == [each.words for each in same.captions]
    assert {each.words for each in one.captions} != {each.words for each in other.captions}
    cold = predictor.sample(photo(), 8, 0.1)
    hot = predictor.sample(photo(), 8, 2.0)
    assert np.mean([each.log_probability / len(each.each) for each in cold.captions]) > np.mean(
        [each.log_probability / len(each.each) for each in hot.captions]
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"width": 0}, "beam width"),
        ({"width": 99}, "from 1 to 8"),
        ({"alpha": -1}, "length penalty"),
        ({"prefix": ["a", "xylophone"]}, "never written “xylophone”"),
        ({"prefix": ["[END]"]}, "never written"),
        ({"prefix": ["a"] * STEPS}, "at most 19 words"),
        ({"hidden": [49]}, "no square 49"),
        ({"hidden": ["1"]}, "no square 1"),
    ],
)
def test_what_cannot_be_asked_gets_a_sentence(predictor, options, sentence):
    with pytest.raises(InputError, match=sentence):
        predictor.describe([photo()], **options)


def test_what_is_no_photo_or_too_hot_is_refused(predictor):
    with pytest.raises(ImageError, match="no photo yet"):
        predictor.describe([None])
    with pytest.raises(InputError, match="temperature"):
        predictor.sample(photo(), temperature=9)
