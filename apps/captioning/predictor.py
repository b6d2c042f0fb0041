"""From a photograph to captions: how likely each is, where each word looked, and how much."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np

from apps.captioning import (
    BEAM_WIDTH,
    GRID_SIZE,
    LENGTH_PENALTY,
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
)
from apps.captioning.model import BEGIN, END, PADDING, UNKNOWN, Captioner
from shared import bundle, images
from shared.compiled import Compiled, pad_rows
from shared.decoding import MIN_LOG_PROBABILITY, beam_search, check_search, sample
from shared.errors import UserError
from shared.image_encoder import ImageEncoder
from shared.text import WordTokenizer, choose_bucket

FOLDER = bundle.MODELS / "captioning"
ENCODER_FILE = "encoder.safetensors"
STEPS = 20  # most words written, the end among them
ROWS = (1, 10)  # photographs described together, one compiled graph each
GREY = 127  # what a hidden cell is painted with

InputError = UserError  # the name by which the page still catches it


@dataclass(frozen=True)
class Caption:
    """One caption of a photograph.

    Attributes:
        words: As written, lower case.
        each: The probability of each word, and of the end after the last, `(words + 1,)`.
        attention: Where the network looked for each, `(words + 1, 7, 7)`, sums of 1.
        gate: How much of what it saw there counted for each, `(words + 1,)`, from 0 to 1.
        score: Log-probability divided by the length penalty.
        ended: Whether it came to its end, or was cut at the most words written.
    """

    words: tuple[str, ...]
    each: np.ndarray
    attention: np.ndarray
    gate: np.ndarray
    score: float
    ended: bool

    @property
    def text(self):
        """As a sentence."""
        written = " ".join(self.words)
        return f"{written[:1].upper()}{written[1:]}."

    @property
    def log_probability(self):
        """Of all words together, the end too."""
        return float(np.log(np.maximum(self.each, 1e-30)).sum())

    @property
    def probability(self):
        """Of this very caption among all that could be written."""
        return float(np.exp(self.log_probability))


@dataclass(frozen=True)
class Description:
    """A photograph's captions.

    Attributes:
        captions: The distinct ones found, the best first.
        tree: What the beam weighed, arrays `(steps, 2 * width)`; see `shared.decoding.Beams`.
            None where captions were drawn.
    """

    captions: tuple[Caption, ...]
    tree: dict | None

    @property
    def text(self):
        """The best caption."""
        return self.captions[0].text


class Predictor:
    """A trained network with its image encoder.

    Load with `Predictor.load(variant)`; safe to use from several threads.
    """

    _lock = threading.Lock()

    def __init__(self, network, tokenizer, encoder, card):
        self.network = network
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.card = card
        self.words = tokenizer.words
        self._numbers = {word: number for number, word in enumerate(self.words)}
        self._searches = {}
        self._drawn = Compiled(self._draw, xla=False)

    @classmethod
    def load(cls, variant="lstm", folder=None):
        """A network of the bundle, read once per process.

        Args:
            variant: One of the card's variants: `"lstm"`, `"gru"` or `"rnn"`.
            folder: Path of a bundle; the shipped one if None.

        Raises:
            BundleError: if there is no such variant, or its files are missing or damaged.
        """
        return _load(variant, folder or FOLDER)

    def encode(self, photos, hidden=()):
        """What the encoder makes of photographs.

        Args:
            photos: List of arrays `(224, 224, 3)` of uint8, as from `images.squash`.
            hidden: Numbers of the cells to paint grey, row by row from 0 to 48.

        Returns:
            Float32 array `(photos, 7, 7, features)`.
        """
        if cells := self._cells(hidden):
            photos = [photo.copy() for photo in photos]
            for photo in photos:
                height, width = (side // GRID_SIZE for side in photo.shape[:2])
                for cell in cells:
                    top, left = cell // GRID_SIZE * height, cell % GRID_SIZE * width
                    photo[top : top + height, left : left + width] = GREY
        return self.encoder.encode(photos)

    def describe(self, photos, width=BEAM_WIDTH, alpha=LENGTH_PENALTY, prefix=(), hidden=()):
        """The `Description` of every photograph, by beam search.

        Args:
            photos: List of what `images.read` takes.
            width: Beam width; 1 is greedy.
            alpha: Exponent of the length penalty.
            prefix: Words that every caption must begin with.
            hidden: Numbers of the cells that the network must not see, row by row from 0 to 48:
                painted grey, and left out of what it looks at.

        Raises:
            ImageError: if a photograph cannot be read.
            InputError: if the search is beyond what the page offers, a word of the prefix is
                unknown, or there is no such cell.
        """
        check_search(width, alpha)
        with ThreadPoolExecutor() as pool:  # decoding a photo takes as long as the encoder
            squashed = list(pool.map(lambda photo: images.squash(images.read(photo)), photos))
        features = self.encode(squashed, hidden)
        return self.describe_features(features, width, alpha, prefix, hidden)

    def describe_features(
        self, features, width=BEAM_WIDTH, alpha=LENGTH_PENALTY, prefix=(), hidden=()
    ):
        """As `describe`, from what `features` returned; it checks no width and no penalty."""
        inputs = [self._mask(hidden), self._prefix(prefix)]
        found = []
        for start in range(0, len(features), ROWS[-1]):
            some = features[start : start + ROWS[-1]]
            rows = choose_bucket(ROWS, len(some))
            arrays = [pad_rows(some, rows), *(np.repeat(each, rows, axis=0) for each in inputs)]
            result = self._search(width)(*arrays, np.float32(alpha))
            beams = [np.asarray(part) for part in (*result.sequences, result.normalized_scores)]
            tree = {name: np.asarray(values) for name, values in result.tree.items()}
            for row in range(len(some)):
                captions = self._captions([part[row] for part in beams])
                branches = {name: values[row] for name, values in tree.items()}
                found.append(Description(captions, branches))
        return found

    def sample(self, photo, count=5, temperature=1.0, seed=0):
        """The `Description` of a photograph by captions drawn from the network's distribution.

        Args:
            photo: What `images.read` takes.
            count: How many to draw; equal ones are told once.
            temperature: Below 1 likely words become likelier, above 1 less so.
            seed: Integer: the same gives the same captions.

        Raises:
            ImageError: if the photograph cannot be read.
            InputError: if the temperature is out of range.
        """
        if (
            not isinstance(temperature, int | float)
            or not MIN_TEMPERATURE <= temperature <= MAX_TEMPERATURE
        ):
            raise InputError(
                f"The temperature must be a number from {MIN_TEMPERATURE:g} to {MAX_TEMPERATURE:g}."
            )
        features = self.encode([images.squash(images.read(photo))])
        lanes = self.sample_features(np.repeat(features, count, axis=0), temperature, seed)
        captions = self._captions([*lanes, lanes[2]])
        return Description(tuple(sorted(captions, key=lambda each: -each.score)), None)

    def sample_features(self, features, temperature=1.0, seed=0):
        """A caption drawn for each row of what `features` returned.

        Returns:
            The arrays of `shared.decoding.Sequences`; numbers of words first, `(rows, steps)`, 0
            after the end.
        """
        chances = np.random.default_rng(seed).uniform(size=(STEPS, len(features)))
        drawn = self._drawn(features, chances.astype("float32"), np.float32(temperature))
        return [np.asarray(part) for part in drawn]

    def _search(self, width):
        with self._lock:
            if width not in self._searches:
                self._searches[width] = Compiled(_searching(self.network, width), xla=False)
            return self._searches[width]

    def _draw(self, features, chances, temperature):
        step, states, begin = _start(self.network, features, 1)
        return sample(step, states, begin, END, STEPS, chances, temperature)

    def _captions(self, lanes):
        captions, seen = [], set()
        for tokens, length, score, each, looked, normalised in zip(*lanes, strict=True):
            numbers = tuple(int(token) for token in tokens[:length])
            if score < MIN_LOG_PROBABILITY / 2 or numbers in seen:
                continue
            seen.add(numbers)
            ended = numbers[-1] == END
            captions.append(
                Caption(
                    words=tuple(self.words[n] for n in (numbers[:-1] if ended else numbers)),
                    each=np.exp(each[:length]),
                    attention=looked[:length, :-1].reshape(length, GRID_SIZE, -1),
                    gate=looked[:length, -1],
                    score=float(normalised),
                    ended=ended,
                )
            )
        return tuple(captions)

    def _cells(self, hidden):
        for cell in hidden:
            if not isinstance(cell, int) or not 0 <= cell < GRID_SIZE**2:
                raise InputError(
                    f"There is no square {cell}: they run from 0 to {GRID_SIZE**2 - 1}."
                )
        return hidden

    def _mask(self, hidden):
        mask = np.ones((1, GRID_SIZE**2), "bool")
        mask[:, list(self._cells(hidden))] = False
        return mask

    def _prefix(self, words):
        """Numbers of the words that a caption must begin with, `(1, steps)`, 0 where it is free."""
        prefix = np.zeros((1, STEPS), "int32")
        if len(words) >= STEPS:
            raise InputError(f"A caption has at most {STEPS - 1} words.")
        for place, word in enumerate(words):
            number = self._numbers.get(word.lower(), UNKNOWN)
            if number <= END:
                raise InputError(f"The network has never written “{word}”. Try another word.")
            prefix[0, place] = number
        return prefix


def _start(network, features, lanes, mask=None, prefix=None):
    """What the functions of `shared.decoding` need: a step, first states and first words."""
    from keras import ops

    rows = features.shape[0]
    memory, mean, states = network.encode(features, mask)

    def of_lanes(values):
        return None if values is None else ops.repeat(values, lanes, axis=0)

    memory, mean, mask, prefix = map(of_lanes, (memory, mean, mask, prefix))
    number = ops.arange(network.options["vocabulary"], dtype="int32")
    never = [PADDING, UNKNOWN, BEGIN]
    barred = ops.where(number < len(never), MIN_LOG_PROBABILITY, 0.0)  # what no caption contains

    def step(tokens, states):
        *states, place = states
        found, states, looked = network.step(tokens, states, memory, mean, mask)
        found = ops.cast(found, "float32") + barred
        if prefix is not None:
            wanted = ops.take_along_axis(prefix, ops.minimum(place, STEPS - 1), axis=1)
            fits = ops.logical_or(ops.equal(wanted, PADDING), ops.equal(wanted, number))
            found = ops.where(fits, found, MIN_LOG_PROBABILITY)
        return found, [*states, place + 1], looked

    begin = ops.full((rows,), BEGIN, "int32")
    return step, [*states, ops.zeros((rows, 1), "int32")], begin


def _searching(network, width):
    def search(features, mask, prefix, alpha):
        step, states, begin = _start(network, features, width + 1, mask, prefix)
        return beam_search(step, states, begin, END, STEPS, width, alpha)

    return search


@bundle.load_once
def _load(variant, folder):
    network, _, card = bundle.load_bundle(folder, variant, Captioner)
    return Predictor(network, _tokenizer(folder), _encoder(folder), card)


@cache
def _tokenizer(folder):
    return WordTokenizer.load(folder / "tokenizer.json")


def _encoder(folder):
    return ImageEncoder.shared(
        folder / ENCODER_FILE, **bundle.read_card(folder)["encoder"]["network"]
    )
