import numpy as np
import pytest

from apps.vqa.embeddings import Embeddings
from apps.vqa.model import Answerer
from apps.vqa.predictor import InputError, Predictor, check_question, tokenize_question
from shared.image_encoder import ImageEncoder
from shared.images import ImageError
from shared.text import WordTokenizer

WORDS = ["what", "is", "the", "colour", "of", "bus", "this", "a", "are", "there", "trees"]
FURTHER = ["quelle", "est"]  # in the vocabulary, but in no question
ANSWERS = ["yes", "no", "red", "bus", "2", "dog", "kitchen"]
TINY = {"stem": 4, "blocks": ((2, 4, 1, 2), (2, 6, 1, 2), (2, 6, 1, 2), (2, 8, 2, 2))}


@pytest.fixture(scope="module")
def make():
    """A function of a network's options that gives a predictor."""
    tokenizer = WordTokenizer.build([*WORDS, *FURTHER])
    noise = np.random.default_rng(3)
    encoder = ImageEncoder(**TINY, features=12)
    encoder.build()
    encoder.set_weights(
        [w if w.ndim == 1 else w + noise.normal(0, 0.6, w.shape) for w in encoder.get_weights()]
    )
    vectors = noise.normal(0, 1, (tokenizer.size, 8)).astype("float32")
    vectors[:2] = 0
    embeddings = Embeddings.fit(vectors, noise.uniform(0, 1, (200, 12)), 6)

    def build(**options):
        sizes = {"dimensions": 8, "components": 6, "narrow": 6, "units": 6, "hidden": 16}
        network = Answerer(len(ANSWERS), seed=3, **{**sizes, **options})
        network.build()
        network.set_weights([w + noise.normal(0, 0.5, w.shape) for w in network.get_weights()])
        card = {"question_words": 2 + len(WORDS)}
        return Predictor(network, embeddings, tokenizer, ANSWERS, encoder, card)

    return build


@pytest.fixture(scope="module")
def predictor(make):
    return make()


def photo(seed=0, size=(64, 96)):
    """Blocks of random colours."""
    blocks = np.random.default_rng(seed).integers(0, 256, (size[0] // 32, size[1] // 32, 3))
    return blocks.repeat(32, axis=0).repeat(32, axis=1).astype("uint8")


QUESTION = "What is the colour of the bus?"


def test_a_reply_is_whole(predictor):
    reply = predictor.answer(photo(), QUESTION)
    chances = [each.probability for each in reply.answers]
    assert len(chances) == 5
    assert chances == sorted(chances, reverse=True)
    assert sum(chances) <= 1 + 1e-5
    assert reply.text == reply.answers[0].text
    assert {each.text for each in reply.answers} <= set(ANSWERS)
    assert reply.attention.shape == (7, 7)
    np.testing.assert_allclose(reply.attention.sum(), 1, atol=1e-4)
    assert np.ptp(reply.attention) > 1e-4
    assert " ".join(word.text for word in reply.words) == QUESTION.rstrip("?")
    assert [QUESTION[w.start : w.end] for w in reply.words] == [w.text for w in reply.words]
    assert reply.unknown == ()
    assert reply.sure
    assert reply.notes == ()


def test_the_probabilities_are_the_network_s_own(predictor):
    numbers, _ = tokenize_question(predictor.tokenizer, QUESTION)
    grid = predictor.encode_photo(photo())
    inputs = (grid[None], predictor.embeddings.embed_words(numbers)[None], np.ones((1, 7), "bool"))
    logits = np.asarray(predictor.network(inputs))[0]
    expected = np.exp(logits) / np.exp(logits).sum()
    found = predictor.probabilities(grid[None], [numbers])[0][0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    best = predictor.reply(grid, QUESTION).answers[0]
    assert best.text == ANSWERS[expected.argmax()]
    np.testing.assert_allclose(best.probability, expected.max(), rtol=1e-4)


def test_the_importance_of_a_word_is_what_the_answer_loses_without_it(predictor):
    reply = predictor.answer(photo(), QUESTION)
    without = predictor.answer(photo(), "What is the of the bus")
    token_ids = tokenize_question(predictor.tokenizer, without.question)[0]
    grid = predictor.encode_photo(photo())
    probabilities = predictor.probabilities(grid[None], [token_ids])[0][0]
    chances = dict(zip(ANSWERS, probabilities, strict=True))
    expected = np.log(reply.answers[0].probability) - np.log(chances[reply.text])
    colour = reply.words[3]
    assert colour.text == "colour"
    np.testing.assert_allclose(colour.importance, expected, atol=1e-4)
    assert len({round(word.importance, 5) for word in reply.words}) > 4


def test_how_much_it_looked_is_what_the_grey_photograph_changes(make, predictor):
    reply = predictor.answer(photo(), QUESTION)
    numbers = tokenize_question(predictor.tokenizer, QUESTION)[0]
    grids = np.stack([predictor.encode_photo(photo()), predictor.blank()])
    chances = predictor.probabilities(grids, [numbers] * 2)[0]
    np.testing.assert_allclose(reply.looked, np.abs(chances[0] - chances[1]).sum() / 2, rtol=1e-3)
    assert 0.001 < reply.looked <= 1
    assert reply.blank[0].text == ANSWERS[chances[1].argmax()]
    np.testing.assert_allclose(reply.kept, chances[1][chances[0].argmax()], rtol=1e-3)
    grey = np.full((80, 60, 3), 127, "uint8")
    assert predictor.answer(grey, QUESTION).looked < 1e-4
    blind = make(image=False).answer(photo(), QUESTION)
    assert blind.looked < 1e-5
    np.testing.assert_allclose(blind.attention, 1 / 49, atol=1e-5)


def test_photographs_and_questions_change_the_answer(predictor):
    one = predictor.answer(photo(1), QUESTION)
    other = predictor.answer(photo(2), QUESTION)
    asked = predictor.answer(photo(1), "are there trees")
    assert abs(one.answers[0].probability - other.answers[0].probability) > 1e-4
    assert abs(one.answers[0].probability - asked.answers[0].probability) > 1e-4


def test_a_further_question_does_not_encode_the_photograph_again(predictor, monkeypatch):
    first = predictor.answer(photo(7), QUESTION)
    monkeypatch.setattr(predictor, "encode", None)
    again = predictor.answer(photo(7), QUESTION)
    assert again.answers == first.answers
    assert predictor.answer(photo(7), "are there trees").answers


def test_only_the_latest_photographs_are_kept(make, monkeypatch):
    monkeypatch.setattr("apps.vqa.predictor.KEPT", 2)
    predictor = make()
    for seed in range(4):
        predictor.encode_photo(photo(seed))
    assert len(predictor._grids) == 2


def test_a_batch_answers_as_one_question_alone_does(make):
    predictor = make()
    grid = predictor.encode_photo(photo())
    questions = [QUESTION, " ", "are there trees", "Quelle est la couleur ?", "is this a bus"] * 4
    found = predictor.answer_each(grid, questions)
    assert len(found) == 20
    for number in (0, 2, 14, 19):
        alone = predictor.reply(grid, questions[number]).answers[0]
        answer, note = found[number]
        assert (answer.text, note) == (alone.text, "")
        np.testing.assert_allclose(answer.probability, alone.probability, rtol=1e-3)
    assert found[1][0] is None and "no question" in found[1][1]
    assert found[3][0] is None and "only learned English" in found[3][1]
    assert predictor.answer_each(grid, ["?"])[0][0] is None
    predictor.threshold = 1.0
    answer, note = predictor.answer_each(grid, [QUESTION])[0]
    assert answer.text in ANSWERS and "does not know" in note
    answer, note = make().answer_each(grid, ["is this xylophone zither"])[0]
    assert answer and "does not know" in note


def test_another_photograph_can_stand_beside_instead_of_a_grey_one(predictor):
    one, other = (predictor.encode_photo(photo(seed)) for seed in (1, 2))
    reply, back = predictor.reply(one, QUESTION, other), predictor.reply(other, QUESTION, one)
    assert [each.text for each in reply.blank] == [each.text for each in back.answers]
    np.testing.assert_allclose(reply.looked, back.looked, rtol=1e-3)
    assert abs(reply.looked - predictor.reply(one, QUESTION).looked) > 1e-4
    assert predictor.reply(one, QUESTION, one).looked < 1e-5


def test_case_and_punctuation_do_not_matter(predictor):
    one = predictor.answer(photo(), QUESTION)
    other = predictor.answer(photo(), "what is   the colour, of the BUS !")
    np.testing.assert_allclose(
        [each.probability for each in one.answers],
        [each.probability for each in other.answers],
        rtol=1e-4,
    )


def test_it_says_that_it_does_not_know(make):
    predictor = make()
    best = predictor.answer(photo(), QUESTION).answers[0].probability
    predictor.threshold = best + 1e-3
    assert not predictor.answer(photo(), QUESTION).sure
    predictor.threshold = best - 1e-3
    assert predictor.answer(photo(), QUESTION).sure
    half = predictor.answer(photo(), "is this xylophone zither")
    assert half.unknown == ("xylophone", "zither")
    assert not half.sure
    assert half.notes[0] == "The network does not know “xylophone”, “zither”."


def test_a_statement_gets_a_hint(predictor):
    assert "statement" in predictor.answer(photo(), "the trees of this bus").notes[0]
    assert not predictor.answer(photo(), "the trees of this bus?").notes
    assert not predictor.answer(photo(), "trees are there").notes


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("", "no question yet"),
        ("  \n ", "no question yet"),
        (None, "no question yet"),
        ("?!", "no words"),
        ("12 + 3", "no words"),
        ("Что это такое?", "another alphabet. The network has only learned English"),
        ("这是什么?", "another alphabet"),
        ("Quelle est la couleur du bus ?", "1 occurred in the questions"),
        ("xylophone?", r"the words of this question \(1\), 0 occurred"),
        ("is " * 61, "has 61 words; at most 60"),
        ("is this a bus " * 40, "559 characters; at most 500"),
    ],
)
def test_what_cannot_be_asked_gets_a_sentence(predictor, question, sentence):
    with pytest.raises(InputError, match=sentence):
        predictor.answer(photo(), question)


def test_a_question_of_sixty_words_is_answered(predictor):
    assert len(predictor.answer(photo(), "is " * 60).words) == 60


def test_tags_and_typographic_marks_are_cleaned():
    assert check_question(" What’s <b>this</b>? ") == "What's this ?"


def test_half_a_character_and_a_control_character_do_no_harm(predictor):
    for text in ("is this a bus \ud83d", "is \x00 this a bus"):
        assert predictor.answer(photo(), text).text in ANSWERS


def test_what_is_no_photo_is_refused(predictor):
    with pytest.raises(ImageError, match="no photo yet"):
        predictor.answer(None, QUESTION)
