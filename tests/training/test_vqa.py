import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from apps.analogies.vectors import Vectors
from apps.vqa.predictor import Predictor
from shared import bundle
from tests.training import photographs
from tests.training.commands import refusal, run
from tests.training.photographs import COLOURS, publish_texts, read_files
from training import features
from training.datasets import coco
from training.vqa import baselines, evaluate, recipe, vocabulary
from training.vqa import data as corpus
from training.vqa import scores as scoring
from training.vqa import train as command
from training.vqa.__main__ import app
from training.vqa.data import Question
from training.vqa.parts import Part


def draw(folder, count):
    """Photographs of one colour, and questions whose answers only the photograph tells."""

    def questions(image, colour):
        is_red = "yes" if colour == "red" else "no"
        of_colour = {"question": "What is the color of the wall?", "answer": colour}
        if image == "0.png":
            of_colour["answers"] = ["red", "red", "Red", "maroon"]
        return [
            {"image": image, "type": "color", **of_colour},
            {"image": image, "question": "is this a red wall", "answer": is_red, "type": "yes/no"},
        ]

    photographs.draw(folder, count, "questions.jsonl", questions)


def input_of(folder):
    """The arguments that name the questions and photographs of a folder."""
    return ["--input", folder / "questions.jsonl", "--images", folder]


def own_vectors():
    words = "what is the color of this a red green wall photo dogs dog men".split()  # noqa: SIM905
    return Vectors.of(words, np.random.default_rng(0).normal(0, 1, (len(words), 8)))


SMALL = {"narrow": 8, "units": 8, "hidden": 16, "dropout": 0.0, "word_dropout": 0.0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vqa")
    (folder / "photos").mkdir()
    draw(folder / "photos", 40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "starting_encoder", photographs.tiny_encoder)
        patch.setattr(command, "SHARED_ENCODER_PATH", folder / "nowhere")
        patch.setattr(command.vectors, "load", own_vectors)
        patch.setattr(recipe, "BATCH_SIZE", 8)
        patch.setattr(recipe, "LEARNING_RATE", 2e-2)
        patch.setattr(recipe, "WARM_UP_BATCHES", 2)
        patch.setattr(recipe, "COMPONENTS", 6)
        for name in recipe.VARIANTS:
            patch.setitem(recipe.VARIANTS, name, {**recipe.VARIANTS[name], **SMALL})

        def train(*more):
            arguments = ["train", *input_of(folder / "photos"), "--output", folder / "bundle"]
            arguments += ["--work-dir", folder / "work", "--epochs", 10]
            for name in ("lstm", "blind", "bow"):
                arguments += ["--variant", name]
            return run(app, *arguments, *more)

        yield folder, train(), train


def test_training_writes_a_bundle_whose_answers_depend_on_the_photo(trained):
    folder, metrics, _ = trained
    card = bundle.read_card(folder / "bundle")
    assert metrics["lstm"] == card["variants"]["lstm"]["accuracy"] == 1.0
    assert card["variants"]["blind"]["accuracy"] <= 0.75
    assert card["baselines"]["majority"]["accuracy"] <= 0.75
    assert card["coverage"] == {"training": 1.0, "validation": 1.0}
    assert card["answers"] == 4
    assert card["data"] == "own" and "36 photos with 72 questions" in card["limits"][0]
    assert "your questions and photographs" in card["licence"]
    assert "encoder is MobileNetV2" in card["licence"]  # that of the captions is nowhere
    predictor = Predictor.load("lstm", folder / "bundle")
    for colour, pixels in COLOURS.items():
        photo = np.full((50, 50, 3), pixels, "uint8")
        reply = predictor.answer(photo, "What is the color of the wall?")
        assert reply.text == colour
        assert any(word.importance != 0 for word in reply.words)
    consistent = card["variants"]["lstm"]["consistency"]
    assert consistent["questions"] == card["examples"]
    assert 0 <= consistent["same"] <= 1


def test_the_encoder_can_be_chosen(trained, tmp_path):
    folder, metrics, train = trained
    encoder = photographs.tiny_encoder()
    encoder.save(tmp_path / "chosen.safetensors")
    own = tmp_path / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "starting_encoder", features.starting_encoder)
        patch.setattr(command, "SHARED_ENCODER_PATH", folder / "bundle" / command.ENCODER_FILE)
        arguments = "--output", own, "--encoder", tmp_path / "chosen.safetensors"
        arguments += "--work-dir", tmp_path / "work"
        assert train(*arguments) == {**metrics, "output": str(own)}
        card = bundle.read_card(own)
        assert not (own / command.ENCODER_FILE).exists()  # it is that of the captions
        assert card["encoder"]["file"] == "bundle/encoder.safetensors"
        encoder.last.bias.assign(np.asarray(encoder.last.bias) + 1)
        encoder.save(tmp_path / "chosen.safetensors")
        train(*arguments)
    card = bundle.read_card(own)
    assert (own / command.ENCODER_FILE).exists()
    assert "encoder comes from MobileNetV2, Apache-2.0, fine-tuned" in card["licence"]
    assert Predictor.load("lstm", own).encoder.options["stem"] == 4


def test_a_second_run_resumes_with_equal_scores(trained, caplog):
    folder, metrics, train = trained
    states = {p: p.read_text() for p in folder.glob("work/*/*/state.json")}
    assert len(states) == 3
    with caplog.at_level("INFO"):
        again = train()
    assert "resumed after epoch 10" in caplog.text
    assert again == metrics
    assert {p: p.read_text() for p in folder.glob("work/*/*/state.json")} == states


def test_retraining_reuses_the_embeddings_of_the_bundle(trained, monkeypatch):
    folder, metrics, train = trained
    before = (folder / "bundle/senses.safetensors").read_bytes()
    monkeypatch.setattr(command.Embeddings, "fit", None)
    assert train() == metrics
    assert (folder / "bundle/senses.safetensors").read_bytes() == before


def test_variants_trained_with_other_embeddings_are_removed(tmp_path):
    output = tmp_path / "bundle"

    def publish(name, embeddings, **others):
        files = {**dict.fromkeys(command.SHARED_FILES, "…"), f"{name}.safetensors": name}
        files |= {command.EMBEDDINGS_FILE: embeddings, **others}
        names = publish_texts(command.publish, tmp_path / name, output, name, files)
        assert (output / command.ENCODER_FILE).exists() == bool(others)
        return names

    assert publish("lstm", "some", **{command.ENCODER_FILE: "own"}) == ["lstm"]
    assert publish("gru", "some") == ["lstm", "gru"]
    assert publish("bow", "others") == ["bow"]


def test_a_bundle_stays_as_it_is_until_a_network_is_fitted(trained, monkeypatch):
    folder, _, train = trained
    before = read_files(folder / "bundle")

    def stop(*_):
        raise SystemExit("stopped in the first epoch")

    monkeypatch.setattr(command, "fit_network", stop)
    with pytest.raises(AssertionError, match="stopped in the first epoch"):
        train("--seed", "1")
    assert read_files(folder / "bundle") == before


def test_evaluate_prints_the_keys_of_the_contract(trained):
    folder, *_ = trained
    metrics = run(app, "evaluate", *input_of(folder / "photos"), "--model", folder / "bundle")
    keys = {"accuracy", "accuracy_color", "accuracy_yes/no", "questions", "seconds"}
    keys |= {f"baseline_{n}_accuracy_color" for n in ("majority", "blind", "bow")}
    assert keys <= set(metrics)
    assert metrics["questions"] == 80
    assert metrics["accuracy"] == 1.0
    assert metrics["baseline_majority_accuracy"] == 0.5


def test_test_scores_come_from_evaluate_alone(trained, tmp_path, monkeypatch):
    folder, *_ = trained
    model = shutil.copytree(folder / "bundle", tmp_path / "bundle")
    draw(tmp_path, 6)
    questions, pictures = corpus.read_rows(tmp_path / "questions.jsonl", tmp_path)
    monkeypatch.setattr(corpus, "read", lambda _, part: questions)
    monkeypatch.setattr(coco, "pictures", lambda _: pictures)
    card = bundle.read_card(model)
    assert (card["test_set"], card["examples"]) == ("validation questions", 8)
    metrics = run(app, "evaluate", "--save", "--model", model)
    card = bundle.read_card(model)
    assert (card["test_set"], card["examples"]) == (evaluate.TEST_SET, 12)
    assert card["variants"]["lstm"]["accuracy"] == metrics["accuracy"]
    assert card["variants"]["lstm"]["consistency"]["questions"] == 12
    assert card["baselines"]["nearest"]["accuracy"] == metrics["baseline_nearest_accuracy"] == 1
    assert card["coverage"]["test"] == 1


def test_the_nearest_question_is_a_baseline_on_its_own_test_set_only(trained, monkeypatch, texts):
    folder, *_ = trained
    questions, pictures = corpus.read_rows(folder / "photos/questions.jsonl", folder / "photos")
    _, own = corpus.split_by_photo(questions, 0)
    monkeypatch.setattr(coco, "pictures", lambda _: pictures)
    arguments = ["evaluate", "--data-dir", folder, "--model", folder / "bundle"]
    for test, has_nearest in ((own, True), (own[:-1], False)):
        monkeypatch.setattr(corpus, "read", lambda *_, test=test: test)
        assert ("baseline_nearest_accuracy" in run(app, *arguments)) == has_nearest
    monkeypatch.setattr(corpus, "read", lambda *_: [])
    texts(refusal(app, *arguments, folder=folder))


@pytest.mark.parametrize("answers", ['["yes", "no"]', "{}", "null"])
def test_files_of_another_bundle_are_noticed(trained, tmp_path, answers):
    shutil.copytree(trained[0] / "bundle", tmp_path, dirs_exist_ok=True)
    (tmp_path / "answers.json").write_text(answers)
    with pytest.raises(bundle.BundleError, match="do not fit together|answers.json cannot"):
        Predictor.load("lstm", tmp_path)


def test_an_encoder_that_changed_is_noticed(trained, tmp_path):
    folder, *_ = trained
    shutil.copytree(folder / "bundle", tmp_path, dirs_exist_ok=True)
    encoder = photographs.tiny_encoder()
    encoder.last.bias.assign(np.asarray(encoder.last.bias) + 1)
    encoder.save(tmp_path / "encoder.safetensors")
    with pytest.raises(bundle.BundleError, match="not the one.*train them again"):
        Predictor.load("lstm", tmp_path)
    with pytest.raises(bundle.BundleError, match="no network gru"):
        Predictor.load("gru", folder / "bundle")


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        '{"image": "0.png", "question": "what"}',
        '{"image": "0.png", "question": "what", "answer": " "}',
        '{"image": "0.png", "question": 3, "answer": "a"}',
        '{"image": "9.png", "question": "what", "answer": "a"}',
        '{"image": ["0.png"], "question": "what", "answer": "a"}',
        "[1]",
        pytest.param("[" * 100_000, id="deep"),
        '{"image": "0.png", "question": "what", "answer": "a", "answers": "yes"}',
    ],
)
def test_a_bad_row_is_named(tmp_path, line, texts):
    draw(tmp_path, 1)
    with open(tmp_path / "questions.jsonl", "a", encoding="utf-8") as file:
        file.write(line + "\n")
    texts(refusal(app, "evaluate", *input_of(tmp_path), folder=tmp_path))


def test_rows_are_read_as_visitors_questions_are(tmp_path):
    draw(tmp_path, 1)
    row = {"image": "0.png", "question": "What’s  <b>this</b>?", "answer": "wall"}
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8-sig")  # as Windows writes
    (read,), _ = corpus.read_rows(path, tmp_path)
    assert (read.text, read.kind, read.answers) == ("What's this ?", "other", ())


def test_questions_without_usable_answers_are_refused(tmp_path, texts):
    draw(tmp_path, 4)
    path = tmp_path / "questions.jsonl"
    path.write_text(path.read_text().replace('"answer": "', '"answer": "?!", "was": "'))
    texts(refusal(app, "train", *input_of(tmp_path), "--output", tmp_path / "b"))
    assert not (tmp_path / "b").exists()


def test_a_damaged_photograph_is_named(trained, tmp_path, texts):
    draw(tmp_path, 1)
    (tmp_path / "0.png").write_bytes(b"no photo")
    texts(refusal(app, "evaluate", *input_of(tmp_path), "--model", trained[0] / "bundle"))


def test_questions_and_photographs_must_both_be_named(tmp_path, texts):
    draw(tmp_path, 1)
    texts(refusal(app, "evaluate", "--input", tmp_path / "questions.jsonl"))
    for name in ("train", "evaluate"):
        texts(refusal(app, name, "--images", tmp_path))


def question(text="what", answer="a", kind="object", answers=()):
    return Question("a.jpg", text, answer, kind, answers)


@pytest.mark.parametrize(
    ("answer", "same"),
    [("Two", "2"), ("a dog", "dog"), ("The Dogs.", "dogs"), ("none", "0"), ("11 : 55", "11 : 55")],
)
def test_answers_are_compared_by_their_canonical_form(answer, same):
    assert vocabulary.canonical(answer) == same


def test_targets_are_the_shares_of_peoples_answers():
    questions = [question(answers=("red",) * 6 + ("Red", "blue", "teal", "teal")),
             question(answer="two"), question(answer="teal")]  # fmt: skip
    shares = vocabulary.answer_shares(questions, ["red", "2", "blue"])
    np.testing.assert_allclose(shares, [[7 / 8, 0, 1 / 8], [0, 1, 0], [0, 0, 0]])


def test_rare_answers_are_left_out_of_a_long_list():
    questions = [question(answer="two")] * 1_001 + [question(answer="cat")] * 2
    assert vocabulary.list_answers(questions) == ["2"]
    assert vocabulary.list_answers(questions[-3:]) == ["cat", "2"]


def test_words_take_vectors_of_their_stems_and_questions_come_first():
    questions = [question("What is this dog's wall, zyx?")]
    tokenizer, table, count = vocabulary.build_vocabulary(questions, own_vectors())
    words = tokenizer.words
    assert set(words[2:count]) == {"what", "is", "this", "dog's", "wall", "zyx"}
    assert set(words[count:]) == {"the", "color", "of", "a", "red", "green", "photo", "dogs",
                                  "dog", "men"}  # fmt: skip
    assert not table[:2].any()
    row = {word: table[n] for n, word in enumerate(words)}
    np.testing.assert_array_equal(row["dog's"], row["dog"])
    np.testing.assert_allclose(row["dog"], own_vectors()["dog"] * 0.4 * np.sqrt(8), rtol=1e-5)
    assert np.abs(row["zyx"]).max() > 0.05


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("What is the colour of the bus?", "what color is the bus"),
        ("Is this a snack ?", "could this be a snack"),
        ("Could this be flower shop ?", "is this flower shop"),
        ("Are there any clouds?", "can you see any clouds"),
        ("where are the dogs", "in what place are the dogs"),
        ("what sits on the bench", "can you tell what sits on the bench"),
        ("the man is riding what", None),
    ],
)
def test_rephrasing_by_rule(text, other):
    assert scoring.rephrase(text) == other


def test_scores_by_type():
    questions = [
        question(answer="two", kind="number"),
        question(answer="dog"),
        question(answer="cat"),
    ]
    scores = scoring.scores(["2", "A dog", "dog"], questions, "x_")
    right = {"x_accuracy": 0.6667, "x_accuracy_number": 1.0, "x_accuracy_object": 0.5}
    assert scores == {**right, "x_right_kind": 1.0}


def test_the_share_of_answers_of_the_right_kind():
    texts = ["How many dogs?", "Is this a dog?", "Is it a dog or a cat?", "Is it day or night?"]
    questions = [question(text=text) for text in [*texts, "the dog"]]
    scores = scoring.scores(["dog", "no", "The cat", "yes", "red"], questions)
    assert scores["right_kind"] == 0.5  # the last asks for no kind


def test_the_most_frequent_answer_depends_on_the_type():
    questions = [question(answer=a, kind=k) for a, k in
             [("no", "yes/no")] * 3 + [("red", "color")] * 2 + [("dog", "object")]]  # fmt: skip
    common = baselines.most_frequent_answers(questions)
    tested = [question(kind=kind) for kind in ("color", "yes/no", "number")]
    assert baselines.answer_by_type(common, tested) == ["red", "no", "no"]


def test_most_answers_below_the_threshold_are_wrong():
    confidence = np.linspace(0.05, 0.95, 10)
    right = np.array([0, 0, 0, 1, 0, 1, 1, 1, 1, 1], "bool")
    threshold = scoring.fit_threshold(confidence, right)
    # Of the first five one is right (20 %), of the first six two (33 %).
    assert threshold == {"probability": 0.55, "share": 0.5, "accuracy_of_the_rest": 1.0}
    always = scoring.fit_threshold(confidence, np.ones(10, "bool"))
    assert always["probability"] == 0.05
    assert always["share"] == 0.0


def test_a_temperature_undoes_overconfidence():
    wanted = np.eye(2)[[0] * 7 + [1] * 3]  # right in seven of ten
    chances = np.tile([0.99, 0.01], (10, 1))
    temperature = scoring.fit_temperature(chances, wanted)
    np.testing.assert_allclose(temperature, np.log(99) / np.log(7 / 3), rtol=1e-2)


def test_the_nearest_question_about_the_nearest_photograph_answers():
    from apps.vqa.embeddings import Embeddings

    vectors = np.array([[0, 0], [0, 0], [1, 0], [0, 1]], "float32")
    embeddings = Embeddings(vectors, np.zeros(2), np.eye(2))
    grids = np.array([[[1, 0]], [[0, 1]]], "float16")
    questions = [question(answer=a) for a in ("red", "green", "yes", "no")]
    numbers = [np.array([n]) for n in (2, 2, 3, 3)]
    training = Part(questions, numbers, grids, np.array([0, 1, 0, 1]))
    validation = replace(training, grids=grids * 2)
    weight = baselines.choose_weight(embeddings, training, validation)
    (answers,) = baselines.answer_by_nearest(embeddings, training, validation, [weight])
    assert answers.tolist() == ["red", "green", "yes", "no"]
    assert 0 < weight < 1
