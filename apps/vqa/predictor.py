"""Answers to questions about a photo: their probabilities, and what they depend on."""

import hashlib
import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from apps.vqa import GRID_SIZE, MAX_CHARACTERS, MAX_WORDS, TOP_ANSWERS
from apps.vqa.embeddings import Embeddings
from apps.vqa.kinds import KINDS, YES_NO, find_options, kind_of, select_answers
from apps.vqa.model import Answerer
from shared import bundle, images
from shared.compiled import Compiled, pad_rows
from shared.errors import UserError
from shared.image_encoder import ImageEncoder
from shared.text import UNKNOWN, WordTokenizer, choose_bucket, clean, clean_with_places, pad

FOLDER = bundle.MODELS / "vqa"
ENCODER_FILE = "encoder.safetensors"
SHARED_ENCODER_PATH = bundle.MODELS / "captioning" / ENCODER_FILE  # if a bundle has none of its own
LENGTH_BUCKETS = (8, 16, MAX_WORDS)  # words; one compiled graph for each length and batch size
BATCH_BUCKETS = (8, 16, 32, 64)  # questions
MAX_CACHED_PHOTOS = 64
GREY_LEVEL = 127
QUESTION_WORDS = (
    *("what", "which", "who", "whose", "where", "when", "why", "how", "is", "are", "was", "were"),
    *("do", "does", "did", "can", "could", "has", "have", "will", "would", "should"),
)


@dataclass(frozen=True)
class Answer:
    """An answer of the closed list, and its probability."""

    text: str
    probability: float


@dataclass(frozen=True)
class Distribution:
    """The probabilities of the answers to a question.

    Attributes:
        answers: Their texts.
        probabilities: Array `(answers,)`, sum 1; 0 for those of another kind than was asked for.
        attention: Attention weights `(49,)`.
    """

    answers: Sequence[str]
    probabilities: np.ndarray
    attention: np.ndarray

    @property
    def best(self):
        """The likeliest `Answer`s, at most five."""
        order = np.argsort(-self.probabilities)[:TOP_ANSWERS]
        return tuple(
            Answer(self.answers[n], float(self.probabilities[n]))
            for n in order
            if self.probabilities[n] > 0
        )


@dataclass(frozen=True)
class Word:
    """A word of the question.

    Attributes:
        text: The word as typed.
        start, end: Its place in the question.
        is_known: Whether it is in the vocabulary.
        importance: How much the log-probability of the best answer falls, in nats, if the network
            does not read this word; negative if the word speaks against the answer.
    """

    text: str
    start: int
    end: int
    is_known: bool
    importance: float


@dataclass(frozen=True)
class Reply:
    """What the network answers to a question about a photo.

    Attributes:
        question: The cleaned question.
        typed: The question as it was typed, as `Places.shown` gives it.
        places: The (start, end) of each word in `typed`.
        answers: The five best answers, the likeliest first.
        reference_answers: The five best answers about the reference, a photo that is greyed out
            or another photo.
        reference_probability: The probability of the best answer about the reference.
        photo_effect: The total variation distance between the distributions of the answers about
            the photo and about the reference: 0 if the photo does not matter, at most 1.
        attention: Attention weights `(7, 7)`, sum 1; equal in networks without attention.
        words: The words of the question.
        is_confident: Whether the best probability reaches the card's threshold and more than half
            of the words are known.
        is_question: Whether it reads like a question and not like a statement.
    """

    question: str
    typed: str
    places: tuple[tuple[int, int], ...]
    answers: tuple[Answer, ...]
    reference_answers: tuple[Answer, ...]
    reference_probability: float
    photo_effect: float
    attention: np.ndarray
    words: tuple[Word, ...]
    is_confident: bool
    is_question: bool

    @property
    def text(self):
        """The best answer."""
        return self.answers[0].text

    @property
    def unknown_words(self):
        """The words of the question that are not in the vocabulary."""
        return tuple(word.text for word in self.words if not word.is_known)


@dataclass(frozen=True)
class Reading:
    """A question as the network reads it.

    Attributes:
        text: The question.
        token_ids: Int32 array `(words,)`.
        spans: List of (start, end) of each word in the text.
        kind: The kind of answer that it asks for, see `kinds.kind_of`.
        options: The names of two options between which it asks to choose, or none.
        asked: What the network is asked: the places of its words, a list for each option, or one
            for the question as a whole.
    """

    text: str
    token_ids: np.ndarray
    spans: list[tuple[int, int]]
    kind: str | None
    options: tuple[str, ...]
    asked: tuple[list[int], ...]

    def without(self, place):
        """The same, but for a word that the network does not read."""
        return replace(self, asked=tuple([n for n in ask if n != place] for ask in self.asked))


def tokenize_question(tokenizer, text):
    """Split a question into words, without its punctuation.

    Returns:
        Token ids, an int32 array `(words,)`, and a list of (start, end) in the text.
    """
    token_ids, spans, _ = tokenizer.locate(text)
    words = [n for n, (a, b) in enumerate(spans) if any(c.isalnum() for c in text[a:b])]
    return token_ids[words], [spans[n] for n in words]


def check_question(text):
    """Clean a question.

    Raises:
        UserError: if it is empty, too long, or in letters that the network cannot read.
    """
    if not isinstance(text, str) or not (text := clean(text)):
        raise UserError("There is no question yet. Ask something, such as “What is in the photo?”")
    if len(text) > MAX_CHARACTERS:
        raise UserError(
            f"This question has {len(text):,} characters; the maximum is {MAX_CHARACTERS}. Ask one "
            "thing at a time."
        )
    letters = [c for c in text if c.isalpha()]
    if not letters:
        raise UserError("There are no words in this question. Ask in words, such as “What is it?”")
    if sum(c < "\u0250" for c in letters) < len(letters) / 2:  # Latin letters come before
        raise UserError(
            "This question is mostly in another alphabet. The network has only learned English: "
            "try an English question."
        )
    return text


class Predictor:
    """A trained network with its embeddings, tokenizer and image encoder.

    Load it with `Predictor.load(variant)`; it is safe to use from several threads.

    Args:
        network: An `Answerer`.
        embeddings: `Embeddings`.
        tokenizer: A `WordTokenizer`.
        answers: The closed list of answers.
        encoder: An `ImageEncoder`, or None if no photos are to be encoded.
        card: The bundle's card.
        temperature: What logits are divided by.
        threshold: The probability from which an answer counts as confident.
    """

    def __init__(
        self, network, embeddings, tokenizer, answers, encoder, card, temperature=1.0, threshold=0.0
    ):
        self.network = network
        self.embeddings = embeddings
        self.tokenizer = tokenizer
        self.answers = answers
        self.encoder = encoder
        self.card = card
        self.temperature = temperature
        self.threshold = threshold
        # The network is so small that XLA would gain nothing, and cost memory for every shape.
        self._predict = Compiled(lambda *inputs: network.predict_with_attention(inputs), xla=False)
        self._grids, self._grids_lock = OrderedDict(), threading.Lock()
        self._fits = {kind: select_answers(kind, answers) for kind in (None, *KINDS)}

    @classmethod
    def load(cls, variant="lstm", folder=None):
        """Load a network of a bundle, once per process.

        Args:
            variant: One of the card's variants: `"lstm"`, `"gru"`, `"rnn"`, `"blind"`, `"bow"`.
            folder: Path of a bundle; the shipped one if None.

        Raises:
            BundleError: if there is no such variant, or its files are missing or damaged.
        """
        return _load(variant, folder or FOLDER)

    def encode(self, photos):
        """Encode photos.

        Args:
            photos: List of arrays `(224, 224, 3)` of uint8, as from `images.squash`.

        Returns:
            Features, a float32 array `(photos, 49, components)`.
        """
        return self.embeddings.project(self.encoder.encode(photos))

    def encode_photo(self, photo):
        """Encode one photo, and keep its features for further questions.

        Args:
            photo: A photo that `images.read` takes.

        Returns:
            Features, a float32 array `(49, components)`.

        Raises:
            UserError: if the photo cannot be read.
        """
        return self._encode_cached(images.squash(images.read(photo)))

    def encode_grey(self):
        """The features of a photo that is greyed out, `(49, components)`."""
        return self._encode_cached(np.full((images.SIZE, images.SIZE, 3), GREY_LEVEL, "uint8"))

    def answer(self, photo, question):
        """The `Reply` to a question about a photo.

        Raises:
            UserError: if the photo cannot be read or the question cannot be answered.
        """
        return self.reply(self.encode_photo(photo), question)

    def answer_each(self, grid, questions):
        """Answer many questions about one photo.

        Args:
            grid: Features from `encode_photo`.
            questions: List of strings.

        Returns:
            List with an (`Answer`, is confident) for each question, or a `UserError` if it cannot
            be answered.
        """
        results, batch = [], []
        for question in questions:
            try:
                batch.append(self._read_question(question))
                results.append(None)
            except UserError as error:
                results.append(error)
        if batch:
            grids = np.broadcast_to(grid, (len(batch), *grid.shape))
            rows = iter(zip(self.distributions(grids, batch), batch, strict=True))
            for n, refusal in enumerate(results):
                if refusal is None:
                    row, reading = next(rows)
                    results[n] = row.best[0], self._is_confident(row, reading)
        return results

    def reply(self, grid, question, reference=None):
        """The `Reply` to a question about a photo.

        Args:
            grid: The features of the photo, from `encode_photo`.
            question: String.
            reference: The features of the photo that it is compared with; those of a photo that is
                greyed out if None.

        Raises:
            UserError: if the question cannot be answered.
        """
        reading = self._read_question(question)
        token_ids, text = reading.token_ids, reading.text
        _, places = clean_with_places(question)
        # The question as it is, then about the reference, then without each of its words.
        grids = np.repeat(grid[None], 2 + len(token_ids), axis=0)
        grids[1] = self.encode_grey() if reference is None else reference
        shortened = [reading.without(n) for n in range(len(token_ids))]
        rows = self.distributions(grids, [reading, reading, *shortened])
        probabilities = np.stack([row.probabilities for row in rows])
        best = int(probabilities[0].argmax())
        logs = np.log(np.maximum(probabilities[:, best], 1e-12))
        words = tuple(
            Word(text[start:end], start, end, bool(token_id != UNKNOWN), float(logs[0] - log))
            for token_id, (start, end), log in zip(token_ids, reading.spans, logs[2:], strict=True)
        )
        return Reply(
            question=text,
            typed=places.shown,
            places=tuple(places.find(start, end) for start, end in reading.spans),
            answers=rows[0].best,
            reference_answers=rows[1].best,
            reference_probability=float(probabilities[1, best]),
            photo_effect=float(np.abs(probabilities[0] - probabilities[1]).sum() / 2),
            attention=rows[0].attention.reshape(GRID_SIZE, -1),
            words=words,
            is_confident=self._is_confident(rows[0], reading),
            is_question="?" in text or any(word.text.lower() in QUESTION_WORDS for word in words),
        )

    def read(self, text):
        """The `Reading` of a question, which is not checked."""
        token_ids, spans = tokenize_question(self.tokenizer, text)
        words = [text[start:end].lower() for start, end in spans]
        # The networks of a list without yes and no cannot be asked about each option alone.
        options = find_options(words) if set(YES_NO) <= set(self.answers) else []
        names, asked = zip(*options, strict=True) if options else ((), (range(len(words)),))
        return Reading(text, token_ids, spans, kind_of(words), names, tuple(map(list, asked)))

    def distributions(self, grids, readings):
        """The distributions over the answers of the right kind, one for each question.

        Of two options, the network is asked about each alone, and the one to which it rather says
        yes is the likelier.

        Args:
            grids: Features `(questions, 49, components)`.
            readings: List of `Reading`.

        Returns:
            List of `Distribution`.
        """
        counts = [len(reading.asked) for reading in readings]
        asked = [reading.token_ids[places] for reading in readings for places in reading.asked]
        parts = self.probabilities(np.repeat(grids, counts, axis=0), asked)
        starts = np.cumsum(counts)[:-1]
        parts = zip(readings, *(np.split(part, starts) for part in parts), strict=True)
        return [self._select(*part) for part in parts]

    def _select(self, reading, probabilities, attention):
        if reading.options:
            yes, no = (probabilities[:, self.answers.index(each)] for each in YES_NO)
            odds = yes / np.maximum(no, 1e-12)
            return Distribution(reading.options, odds / odds.sum(), attention[odds.argmax()])
        row = np.where(self._fits[reading.kind], probabilities[0], 0)
        return Distribution(self.answers, row / row.sum(), attention[0])

    def probabilities(self, grids, questions):
        """The distributions over all answers of the list to questions, whatever their kind.

        Args:
            grids: Features `(questions, 49, components)`.
            questions: List of int32 arrays of token ids.

        Returns:
            Probabilities `(questions, answers)`, and attention weights `(questions, 49)`.
        """
        longest = max((len(token_ids) for token_ids in questions), default=1)
        padded = pad(questions, choose_bucket(LENGTH_BUCKETS, longest))
        logits, attention = [], []
        for start in range(0, len(padded), BATCH_BUCKETS[-1]):
            batch = slice(start, start + BATCH_BUCKETS[-1])
            count = len(padded[batch])
            rows = choose_bucket(BATCH_BUCKETS, count)
            token_ids = pad_rows(padded[batch], rows)
            vectors = self.embeddings.embed_words(token_ids)
            outputs = self._predict(pad_rows(grids[batch], rows), vectors, token_ids > 0)
            for parts, output in zip((logits, attention), outputs, strict=True):
                parts.append(np.asarray(output)[:count])
        scaled = np.concatenate(logits) / self.temperature
        exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probabilities, np.concatenate(attention)

    def _encode_cached(self, pixels):
        key = hashlib.sha256(pixels.tobytes()).digest()
        with self._grids_lock:
            if key in self._grids:
                self._grids.move_to_end(key)
                return self._grids[key]
        grid = self.encode([pixels])[0]
        with self._grids_lock:
            self._grids[key] = grid
            if len(self._grids) > MAX_CACHED_PHOTOS:
                self._grids.popitem(last=False)
        return grid

    def _read_question(self, question):
        """Clean and check a question; returns its `Reading`."""
        reading = self.read(check_question(question))
        token_ids = reading.token_ids
        if len(token_ids) > MAX_WORDS:
            raise UserError(
                f"This question has {len(token_ids)} words; the maximum is {MAX_WORDS}. Ask one "
                "thing at a time."
            )
        # The words of the training questions have the lowest token ids.
        in_training = self.card.get("question_words", self.tokenizer.size)
        familiar = np.count_nonzero((token_ids != UNKNOWN) & (token_ids < in_training))
        if familiar < len(token_ids) / 2:
            raise UserError(
                f"Too few words of this question ({familiar} of {len(token_ids)}) occur in the "
                "training questions. The network has only learned English: try plain words for "
                "what can be seen."
            )
        return reading

    def _is_confident(self, distribution, reading):
        known = np.count_nonzero(reading.token_ids != UNKNOWN)
        is_likely = distribution.best[0].probability >= self.threshold
        return bool(is_likely and known > len(reading.token_ids) / 2)


@bundle.load_once
def _load(variant, folder):
    network, details, card = bundle.load_bundle(folder, variant, Answerer)
    embeddings, tokenizer, answers, encoder = _load_common(folder)
    sizes = len(answers), embeddings.word_vectors.shape, embeddings.components.shape[-1]
    options = network.options
    expected = options["answers"], (tokenizer.size, options["dimensions"]), options["components"]
    if sizes != expected:
        raise bundle.BundleError(f"The files of the bundle {folder.name} do not fit together.")
    temperature, threshold = details["temperature"], details["threshold"]["probability"]
    return Predictor(network, embeddings, tokenizer, answers, encoder, card, temperature, threshold)


@cache
def _load_common(folder):
    """What all networks of a bundle use: embeddings, tokenizer, answers and encoder."""
    try:
        answers = list(json.loads((folder / "answers.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise bundle.BundleError(f"{folder.name}/answers.json cannot be read.") from error
    tokenizer = WordTokenizer.load(folder / "tokenizer.json")
    return Embeddings.load(folder), tokenizer, answers, _load_encoder(folder)


def _load_encoder(folder):
    own = folder / ENCODER_FILE
    path = own if own.exists() else SHARED_ENCODER_PATH
    described = bundle.read_card(folder)["encoder"]
    encoder = ImageEncoder.load_shared(path, **described["network"])
    if zlib.crc32(path.read_bytes()) != described["crc32"]:
        raise bundle.BundleError(
            f"The image encoder {path.parent.name}/{path.name} is not the one that the networks of "
            f"{folder.name} were trained on: train them again."
        )
    return encoder
