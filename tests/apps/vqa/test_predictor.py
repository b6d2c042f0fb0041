import numpy as np
import pytest

from apps.vqa.embeddings import Embeddings
from apps.vqa.model import Answerer
from apps.vqa.predictor import Predictor, check_question, tokenize_question
from shared.errors import UserError
from shared.image_encoder import ImageEncoder
from shared.text import WordTokenizer

pytestmark = pytest.mark.slow

WORDS = ["what", "is", "the", "colour", "of", "bus", "this", "a", "are", "there", "trees"]
OTHER_WORDS = ["quelle", "est"]  # in the vocabulary, but in no training question
ANSWERS = ["yes", "no", "red", "bus", "2", "dog", "kitchen", "blue", "green", "white", "black"]
QUESTION = "What is the colour of the bus?"
TINY = {"stem": 4, "blocks": ((2, 4, 1, 2), (2, 6, 1, 2), (2, 6, 1, 2), (2, 8, 2, 2))}


@pytest.fixture(scope="module")
def make():
    """A function of a network's options that gives a predictor."""
    tokenizer = WordTokenizer.build([*WORDS, *OTHER_WORDS])
    rng = np.random.default_rng(3)
    encoder = ImageEncoder(**TINY, features=12)
    encoder.build()
    encoder.set_weights(
        [w if w.ndim == 1 else w + rng.normal(0, 0.6, w.shape) for w in encoder.get_weights()]
    )
    vectors = rng.normal(0, 1, (tokenizer.size, 8)).astype("float32")
    vectors[:2] = 0
    embeddings = Embeddings.fit(vectors, rng.uniform(0, 1, (200, 12)), 6)

    def build(**options):
        sizes = {"dimensions": 8, "components": 6, "narrow": 6, "units": 6, "hidden": 16}
        network = Answerer(len(ANSWERS), seed=3, **{**sizes, **options})
        network.build()
        network.set_weights([w + rng.normal(0, 0.5, w.shape) for w in network.get_weights()])
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


def probabilities(predictor, grids, question=QUESTION):
    """The distribution for each grid, by `Predictor.probabilities`."""
    token_ids = tokenize_question(predictor.tokenizer, question)[0]
    return predictor.probabilities(np.stack(grids), [token_ids] * len(grids))[0]


def test_a_reply_is_consistent(predictor):
    reply = predictor.answer(photo(), QUESTION)
    best = [each.probability for each in reply.answers]
    assert len(best) == 5 and best == sorted(best, reverse=True) and sum(best) <= 1 + 1e-5
    assert reply.text == reply.answers[0].text
    assert {each.text for each in reply.answers} <= set(ANSWERS)
    assert reply.attention.shape == (7, 7)
    np.testing.assert_allclose(reply.attention.sum(), 1, atol=1e-4)
    assert np.ptp(reply.attention) > 1e-4
    assert " ".join(word.text for word in reply.words) == QUESTION.rstrip("?")
    assert [QUESTION[w.start : w.end] for w in reply.words] == [w.text for w in reply.words]
    assert reply.unknown_words == () and reply.is_confident and reply.is_question


def test_words_have_their_places_in_what_was_typed(predictor):
    typed = f"“{QUESTION.replace(' ', '&nbsp; ')}” "
    reply = predictor.answer(photo(), typed)
    assert [typed[start:end] for start, end in reply.places] == QUESTION.rstrip("?").split()
    assert reply.typed == typed


def test_probabilities_equal_those_of_the_network(predictor):
    token_ids, _ = tokenize_question(predictor.tokenizer, QUESTION)
    grid = predictor.encode_photo(photo())
    vectors = predictor.embeddings.embed_words(token_ids)[None]
    logits = np.asarray(predictor.network((grid[None], vectors, np.ones((1, 7), "bool"))))[0]
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(probabilities(predictor, [grid])[0], expected, rtol=1e-4)
    best = predictor.reply(grid, QUESTION).answers[0]
    colours = [ANSWERS.index(each) for each in ("red", "blue", "green", "white", "black")]
    assert best.text == ANSWERS[max(colours, key=lambda n: expected[n])]
    among_colours = expected[colours].max() / expected[colours].sum()
    np.testing.assert_allclose(best.probability, among_colours, rtol=1e-4)


def test_the_importance_of_a_word_is_what_the_answer_loses_without_it(predictor):
    reply = predictor.answer(photo(), QUESTION)
    grid = predictor.encode_photo(photo())
    without = probabilities(predictor, [grid], "What is the of the bus")[0]
    colours = [ANSWERS.index(each.text) for each in reply.answers]
    after = without[colours[0]] / without[colours].sum()
    colour = reply.words[3]
    assert colour.text == "colour"
    expected = np.log(reply.answers[0].probability) - np.log(after)
    np.testing.assert_allclose(colour.importance, expected, atol=1e-4)
    assert len({round(word.importance, 5) for word in reply.words}) > 4


def test_the_photo_effect_is_the_change_when_the_photo_is_greyed_out(make, predictor):
    reply = predictor.answer(photo(), "the bus")  # asks for no kind of answer
    grids = [predictor.encode_photo(photo()), predictor.encode_grey()]
    one, grey = probabilities(predictor, grids, "the bus")
    np.testing.assert_allclose(reply.photo_effect, np.abs(one - grey).sum() / 2, rtol=1e-3)
    assert 0.001 < reply.photo_effect <= 1
    assert reply.reference_answers[0].text == ANSWERS[grey.argmax()]
    np.testing.assert_allclose(reply.reference_probability, grey[one.argmax()], rtol=1e-3)
    assert predictor.answer(np.full((80, 60, 3), 127, "uint8"), QUESTION).photo_effect < 1e-4
    blind = make(image=False).answer(photo(), QUESTION)
    assert blind.photo_effect < 1e-5
    np.testing.assert_allclose(blind.attention, 1 / 49, atol=1e-5)


def test_photos_and_questions_change_the_answer(predictor):
    first, *others = (
        predictor.answer(photo(seed), question).answers[0].probability
        for seed, question in ((1, QUESTION), (2, QUESTION), (1, "are there trees"))
    )
    assert all(abs(first - other) > 1e-4 for other in others)


def test_another_question_does_not_encode_the_photo_again(predictor, monkeypatch):
    first = predictor.answer(photo(7), QUESTION)
    monkeypatch.setattr(predictor, "encode", None)
    assert predictor.answer(photo(7), QUESTION).answers == first.answers
    assert predictor.answer(photo(7), "are there trees").answers


def test_only_the_latest_photos_are_cached(make, monkeypatch):
    monkeypatch.setattr("apps.vqa.predictor.MAX_CACHED_PHOTOS", 2)
    predictor = make()
    for seed in range(4):
        predictor.encode_photo(photo(seed))
    assert len(predictor._grids) == 2


def test_a_batch_answers_as_a_single_question_does(make):
    predictor = make()
    grid = predictor.encode_photo(photo())
    questions = [QUESTION, " ", "are there trees", "Quelle est la couleur ?", "is this a bus"] * 4
    results = predictor.answer_each(grid, questions)
    assert len(results) == 20
    for n in (0, 2, 14, 19):
        single = predictor.reply(grid, questions[n]).answers[0]
        answer, is_confident = results[n]
        assert answer.text == single.text and is_confident
        np.testing.assert_allclose(answer.probability, single.probability, rtol=1e-3)
    assert [isinstance(result, UserError) for result in results[:5]] == [0, 1, 0, 1, 0]
    assert isinstance(predictor.answer_each(grid, ["?"])[0], UserError)
    predictor.threshold = 1.0
    assert not predictor.answer_each(grid, [QUESTION])[0][1]
    assert not make().answer_each(grid, ["is this xylophone zither"])[0][1]


def test_another_photo_can_be_the_reference(predictor):
    one, other = (predictor.encode_photo(photo(seed)) for seed in (1, 2))
    reply, back = predictor.reply(one, QUESTION, other), predictor.reply(other, QUESTION, one)
    assert [a.text for a in reply.reference_answers] == [a.text for a in back.answers]
    np.testing.assert_allclose(reply.photo_effect, back.photo_effect, rtol=1e-3)
    assert abs(reply.photo_effect - predictor.reply(one, QUESTION).photo_effect) > 1e-4
    assert predictor.reply(one, QUESTION, one).photo_effect < 1e-5


def test_case_and_punctuation_do_not_matter(predictor):
    one, other = (
        [each.probability for each in predictor.answer(photo(), question).answers]
        for question in (QUESTION, "what is   the colour, of the BUS !")
    )
    np.testing.assert_allclose(one, other, rtol=1e-4)


def test_a_reply_is_confident_above_the_threshold_if_most_words_are_known(make):
    predictor = make()
    best = predictor.answer(photo(), QUESTION).answers[0].probability
    predictor.threshold = best + 1e-3
    assert not predictor.answer(photo(), QUESTION).is_confident
    predictor.threshold = best - 1e-3
    assert predictor.answer(photo(), QUESTION).is_confident
    half = predictor.answer(photo(), "is this xylophone zither")
    assert half.unknown_words == ("xylophone", "zither") and not half.is_confident


@pytest.mark.parametrize(
    ("text", "is_question"),
    [
        ("the trees of this bus", False),
        ("the trees of this bus?", True),
        ("trees are there", True),
    ],
)
def test_a_statement_is_told_from_a_question(predictor, text, is_question):
    assert predictor.answer(photo(), text).is_question == is_question


@pytest.mark.parametrize(
    "question",
    [
        "",
        "  \n ",
        None,
        "?!",
        "12 + 3",
        "Что это такое?",
        "这是什么?",
        "Quelle est la couleur du bus ?",
        "xylophone?",
        "is " * 61,
        "is this a bus " * 40,
    ],
)
def test_a_question_that_cannot_be_answered_gets_a_sentence(predictor, question, texts):
    with pytest.raises(UserError) as error:
        predictor.answer(photo(), question)
    texts(error.value)


def test_a_question_of_sixty_words_is_answered(predictor):
    assert len(predictor.answer(photo(), "is " * 60).words) == 60


def test_tags_and_typographic_marks_are_cleaned():
    assert check_question(" What’s <b>this</b>? ") == "What's this ?"


def test_half_a_character_and_a_control_character_do_no_harm(predictor):
    for text in ("is this a bus \ud83d", "is \x00 this a bus"):
        assert predictor.answer(photo(), text).text in ANSWERS


def test_answers_are_of_the_kind_that_is_asked_for(predictor):
    for seed in range(4):
        for question, kind in (
            ("is this a bus", {"yes", "no"}),
            ("how many trees are there", {"2"}),
            ("what colour is this bus", {"red", "blue", "green", "white", "black"}),
            ("what is this", set(ANSWERS) - {"yes", "no"}),
        ):
            answers = predictor.answer(photo(seed), question).answers
            assert {each.text for each in answers} <= kind
            np.testing.assert_allclose(
                sum(each.probability for each in answers), 1, atol=1e-5 if len(kind) < 6 else 1
            )


def test_of_two_options_the_one_with_the_better_yes_is_chosen(predictor):
    grid = predictor.encode_photo(photo())
    reply = predictor.reply(grid, "Is this a bus or a tree?")
    odds = []
    for question in ("is this a bus", "is this a tree"):
        row = probabilities(predictor, [grid], question)[0]
        odds.append(row[ANSWERS.index("yes")] / row[ANSWERS.index("no")])
    expected = dict(zip(["bus", "tree"], np.array(odds) / sum(odds), strict=True))
    assert {each.text for each in reply.answers} == {"bus", "tree"}
    for each in reply.answers:
        np.testing.assert_allclose(each.probability, expected[each.text], rtol=1e-4)
    assert len(reply.words) == 7 and reply.attention.shape == (7, 7)
    batch = predictor.answer_each(grid, ["Is this a bus or a tree?"])
    assert batch[0][0].text == reply.text


def test_a_missing_photo_is_refused(predictor):
    with pytest.raises(UserError):
        predictor.answer(None, QUESTION)
