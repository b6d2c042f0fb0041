"""From a photograph and a question to answers: how likely each is, and what it came from."""

import hashlib
import json
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache

import numpy as np

from apps.vqa import BEST, CHARACTERS, GRID_SIZE, WORDS
from apps.vqa.embeddings import Embeddings
from apps.vqa.model import Answerer
from shared import bundle, images
from shared.compiled import Compiled, pad_rows
from shared.image_encoder import ImageEncoder
from shared.text import UNKNOWN, WordTokenizer, choose_bucket, clean, pad

FOLDER = bundle.MODELS / "vqa"
ENCODER_FILE = "encoder.safetensors"
SHARED_ENCODER_PATH = (
    bundle.MODELS / "captioning" / ENCODER_FILE
)  # where a bundle has none of its own
LENGTH_BUCKETS = (8, 16, WORDS)  # words of questions answered together, one compiled graph each
ROWS = (8, 16, 64)  # and how many questions
KEPT = 64  # photographs whose features are kept
GREY_LEVEL = 127
UNSURE = "It does not know: this is its best guess."
ASKING = (
    *("what", "which", "who", "whose", "where", "when", "why", "how", "is", "are", "was", "were"),
    *("do", "does", "did", "can", "could", "has", "have", "will", "would", "should"),
)


class InputError(ValueError):
    """What was asked cannot be answered; the message is a sentence for the page."""


@dataclass(frozen=True)
class Answer:
    """An answer of the closed list, and its probability."""

    text: str
    probability: float


@dataclass(frozen=True)
class Word:
    """A word of the question.

    Attributes:
        text: As typed.
        start, end: Where it stands in the question.
        known: Whether it is in the vocabulary.
        importance: How much the log-probability of the best answer falls, in nats, when the
            network does not read this word; below 0 where the word spoke against the answer.
    """

    text: str
    start: int
    end: int
    known: bool
    importance: float


@dataclass(frozen=True)
class Reply:
    """What the network answers to a question about a photograph.

    Attributes:
        question: As read.
        answers: The best five, the likeliest first.
        blank: The best five with the photograph greyed out.
        kept: The probability of the best answer with the photograph greyed out.
        looked: How far the answer comes from the photograph: the probability that moves between
            answers when it is greyed out, from 0 (all habit of the language) to 1.
        attention: Where it looked, `(7, 7)`, sum 1; all alike in networks without attention.
        words: The words of the question.
        sure: Whether the best probability is above the card's threshold and more than half of the
            words are known; the page says “I don't know” where not.
        notes: Sentences for the page.
    """

    question: str
    answers: tuple[Answer, ...]
    blank: tuple[Answer, ...]
    kept: float
    looked: float
    attention: np.ndarray
    words: tuple[Word, ...]
    sure: bool
    notes: tuple[str, ...]

    @property
    def text(self):
        """The best answer."""
        return self.answers[0].text

    @property
    def unknown(self):
        """The words of the question that are not in the vocabulary."""
        return tuple(word.text for word in self.words if not word.known)


def tokenize_question(tokenizer, text):
    """Numbers and places of the words of a question; punctuation marks are left out.

    Returns:
        An int32 array, and a list of (start, end) in the text.
    """
    numbers, places = tokenizer.locate(text)
    live = [n for n, (a, b) in enumerate(places) if any(c.isalnum() for c in text[a:b])]
    return numbers[live], [places[n] for n in live]


def check_question(text):
    """A question, cleaned.

    Raises:
        InputError: if there is none, it is too long, or in letters that the network cannot read;
            the message says what would work.
    """
    if not isinstance(text, str) or not (text := clean(text)):
        raise InputError("There is no question yet. Ask something, such as “What is in the photo?”")
    if len(text) > CHARACTERS:
        raise InputError(
            f"This question has {len(text):,} characters; at most {CHARACTERS} are read. Ask one "
            "thing at a time."
        )
    letters = [c for c in text if c.isalpha()]
    if not letters:
        raise InputError("There are no words in this question. Ask in words, such as “What is it?”")
    if sum(c < "\u0250" for c in letters) < len(letters) / 2:  # Latin letters come before
        raise InputError(
            "This question is mostly in another alphabet. The network has only learned English: "
            "try an English question."
        )
    return text


class Predictor:
    """A trained network with what it reads through.

    Load with `Predictor.load(variant)`; safe to use from several threads.
    """

    def __init__(self, network, embeddings, tokenizer, answers, encoder, card, temperature=1.0):
        self.network = network
        self.embeddings = embeddings
        self.tokenizer = tokenizer
        self.answers = answers
        self.encoder = encoder
        self.card = card
        self.temperature = temperature
        self.threshold = 0.0
        # So small that a plain graph is fast enough; XLA would take memory for every shape.
        self._looking = Compiled(lambda *inputs: network.predict_with_attention(inputs), xla=False)
        self._grids, self._keeping = OrderedDict(), threading.Lock()

    @classmethod
    def load(cls, variant="lstm", folder=None):
        """A network of the bundle, read once per process.

        Args:
            variant: One of the card's variants: `"lstm"`, `"gru"`, `"rnn"`, `"blind"`, `"bow"`.
            folder: Path of a bundle; the shipped one if None.

        Raises:
            BundleError: if there is no such variant, or its files are missing or damaged.
        """
        return _load(variant, folder or FOLDER)

    def encode(self, photos):
        """What the encoder and the embeddings make of photographs.

        Args:
            photos: List of arrays `(224, 224, 3)` of uint8, as from `images.squash`.

        Returns:
            Float32 array `(photos, 49, components)`.
        """
        return self.embeddings.project(self.encoder.encode(photos))

    def encode_photo(self, photo):
        """The features of one photograph, `(49, components)`, kept for further questions.

        Args:
            photo: What `images.read` takes.

        Raises:
            ImageError: if it cannot be read.
        """
        return self._encode_cached(images.squash(images.read(photo)))

    def blank(self):
        """The features of a photograph greyed out, `(49, components)`."""
        return self._encode_cached(np.full((images.SIZE, images.SIZE, 3), GREY_LEVEL, "uint8"))

    def answer(self, photo, question):
        """The `Reply` to a question about a photograph.

        Raises:
            ImageError: if the photograph cannot be read.
            InputError: if the question cannot be answered; the message says why.
        """
        return self.reply(self.encode_photo(photo), question)

    def answer_each(self, grid, questions):
        """The best `Answer` to each of many questions about one photograph.

        Args:
            grid: What `encode_photo` returned.
            questions: List of strings.

        Returns:
            List of (`Answer`, "") or, where the network had better not be relied on, a sentence
            beside it; (None, sentence) where a question cannot be answered.
        """
        numbers, found = [], []
        for question in questions:
            try:
                numbers.append(self._read(question)[1])
                found.append((None, ""))
            except InputError as problem:
                found.append((None, str(problem)))
        if not numbers:
            return found
        chances = self.probabilities(np.broadcast_to(grid, (len(numbers), *grid.shape)), numbers)[0]
        rows = iter(zip(chances, numbers, strict=True))
        for place, (_, problem) in enumerate(found):
            if not problem:
                row, read = next(rows)
                sure = self._sure(row, np.count_nonzero(read != UNKNOWN), len(read))
                found[place] = self._best(row)[0], "" if sure else UNSURE
        return found

    def reply(self, grid, question, beside=None):
        """As `answer`, from what `encode_photo` returned.

        Args:
            grid: The features of the photograph.
            question: String.
            beside: Those of another, which `blank`, `kept` and `looked` then speak of; of a
                photograph greyed out if None.
        """
        text, numbers, places = self._read(question)
        # The question as it is, then with the other photograph, then without each word.
        grids = np.repeat(grid[None], 2 + len(numbers), axis=0)
        grids[1] = self.blank() if beside is None else beside
        fewer = [np.delete(numbers, n) for n in range(len(numbers))]
        chances, looked = self.probabilities(grids, [numbers, numbers, *fewer])
        best = int(chances[0].argmax())
        logs = np.log(np.maximum(chances[:, best], 1e-12))
        words = tuple(
            Word(text[a:b], a, b, bool(number != UNKNOWN), float(logs[0] - log))
            for number, (a, b), log in zip(numbers, places, logs[2:], strict=True)
        )
        known = sum(word.known for word in words)
        return Reply(
            question=text,
            answers=self._best(chances[0]),
            blank=self._best(chances[1]),
            kept=float(chances[1, best]),
            looked=float(np.abs(chances[0] - chances[1]).sum() / 2),
            attention=looked[0].reshape(GRID_SIZE, -1),
            words=words,
            sure=self._sure(chances[0], known, len(words)),
            notes=_notes(text, words),
        )

    def probabilities(self, grids, questions):
        """What the network makes of questions, each beside its photograph.

        Args:
            grids: Array `(questions, 49, components)`.
            questions: List of int32 arrays, the numbers of their words.

        Returns:
            Probabilities `(questions, answers)`, and attention weights `(questions, 49)`.
        """
        longest = max((len(numbers) for numbers in questions), default=1)
        words = pad(questions, choose_bucket(LENGTH_BUCKETS, longest))
        logits, looked = [], []
        for start in range(0, len(words), ROWS[-1]):
            some = slice(start, start + ROWS[-1])
            count = len(words[some])
            rows = choose_bucket(ROWS, count)
            numbers = pad_rows(words[some], rows)
            vectors = self.embeddings.embed_words(numbers)
            inputs = (pad_rows(grids[some], rows), vectors, numbers > 0)
            both = self._looking(*inputs)
            for found, part in zip((logits, looked), both, strict=True):
                found.append(np.asarray(part)[:count])
        scaled = np.concatenate(logits) / self.temperature
        chances = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return chances / chances.sum(axis=1, keepdims=True), np.concatenate(looked)

    def _encode_cached(self, pixels):
        key = hashlib.sha256(pixels.tobytes()).digest()
        with self._keeping:
            if key in self._grids:
                self._grids.move_to_end(key)
                return self._grids[key]
        grid = self.encode([pixels])[0]
        with self._keeping:
            self._grids[key] = grid
            if len(self._grids) > KEPT:
                self._grids.popitem(last=False)
        return grid

    def _read(self, question):
        """A question as text, and the numbers and places of its words."""
        text = check_question(question)
        numbers, places = tokenize_question(self.tokenizer, text)
        if len(numbers) > WORDS:
            raise InputError(
                f"This question has {len(numbers)} words; at most {WORDS} are read. Ask one thing "
                "at a time."
            )
        # The words of the training questions come first in the vocabulary.
        asked = self.card.get("question_words", self.tokenizer.size)
        heard = np.count_nonzero((numbers != UNKNOWN) & (numbers < asked))
        if heard < len(numbers) / 2:
            raise InputError(
                f"Of the words of this question ({len(numbers)}), {heard} occurred in the "
                "questions that the network learned from. It has only learned English: try plain "
                "words for what can be seen."
            )
        return text, numbers, places

    def _sure(self, chances, known, words):
        return bool(chances.max() >= self.threshold and known > words / 2)

    def _best(self, chances):
        return tuple(
            Answer(self.answers[n], float(chances[n])) for n in np.argsort(-chances)[:BEST]
        )


def _notes(text, words):
    """What the visitor should know of the question."""
    notes = []
    unknown = [f"“{word.text}”" for word in words if not word.known]
    if unknown:
        notes.append(f"The network does not know {', '.join(unknown)}.")
    if "?" not in text and not any(word.text.lower() in ASKING for word in words):
        notes.append("This reads like a statement; a question gets a better answer.")
    return tuple(notes)


@bundle.load_once
def _load(variant, folder):
    network, details, card = bundle.load_bundle(folder, variant, Answerer)
    embeddings, tokenizer, answers, encoder = _shared(folder)
    sizes = len(answers), embeddings.word_vectors.shape, embeddings.components.shape[-1]
    options = network.options
    needed = options["answers"], (tokenizer.size, options["dimensions"]), options["components"]
    if sizes != needed:
        raise bundle.BundleError(f"The files of the bundle {folder.name} do not fit together.")
    predictor = Predictor(
        network, embeddings, tokenizer, answers, encoder, card, details["temperature"]
    )
    predictor.threshold = details["threshold"]["probability"]
    return predictor


@cache
def _shared(folder):
    """What all networks of a bundle use: embeddings, tokenizer, answers and encoder."""
    try:
        answers = list(json.loads((folder / "answers.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise bundle.BundleError(f"{folder.name}/answers.json cannot be read.") from error
    tokenizer = WordTokenizer.load(folder / "tokenizer.json")
    return Embeddings.load(folder), tokenizer, answers, _encoder(folder)


def _encoder(folder):
    own = folder / ENCODER_FILE
    file = own if own.exists() else SHARED_ENCODER_PATH
    described = bundle.read_card(folder)["encoder"]
    encoder = ImageEncoder.shared(file, **described["network"])
    if zlib.crc32(file.read_bytes()) != described["crc32"]:
        raise bundle.BundleError(
            f"The image encoder {file.parent.name}/{file.name} is not the one that the networks of "
            f"{folder.name} were trained on: train them again."
        )
    return encoder
