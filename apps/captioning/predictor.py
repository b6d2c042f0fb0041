"""Captions for a photo: their probabilities, and where the network attends for each word."""

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
from shared.errors import UserError
from shared.image_encoder import ImageEncoder
from shared.limits import check_search
from shared.text import WordTokenizer, choose_bucket
from unrolled.decoding import MIN_LOG_PROBABILITY, beam_search, sample

FOLDER = bundle.MODELS / "captioning"
ENCODER_FILE = "encoder.safetensors"
MAX_STEPS = 20  # words of a caption, the end included
BATCH_BUCKETS = (1, 10)  # photos; one compiled graph for each batch size
GREY_LEVEL = 127  # colour of hidden cells


@dataclass(frozen=True)
class Caption:
    """One caption of a photo.

    Attributes:
        words: In lower case.
        word_probabilities: The probability of each word, and of the end after the last word,
            `(words + 1,)`.
        attention: Attention weights for each word and the end, `(words + 1, 7, 7)`, sums of 1.
        gate: The factor of the attended features for each word and the end, `(words + 1,)`, from
            0 to 1.
        score: Log-probability divided by the length penalty.
        is_complete: Whether the caption has an end, or was cut off after `MAX_STEPS` words.
    """

    words: tuple[str, ...]
    word_probabilities: np.ndarray
    attention: np.ndarray
    gate: np.ndarray
    score: float
    is_complete: bool

    @property
    def text(self):
        """The caption as a sentence."""
        text = " ".join(self.words)
        return f"{text[:1].upper()}{text[1:]}."

    @property
    def log_probability(self):
        """Of the whole caption, the end included."""
        return float(np.log(np.maximum(self.word_probabilities, 1e-30)).sum())

    @property
    def probability(self):
        """Of this caption among all that could be written."""
        return float(np.exp(self.log_probability))

    @property
    def mean_probability(self):
        """Of a word: the geometric mean, the end included."""
        return float(np.exp(self.log_probability / len(self.word_probabilities)))


@dataclass(frozen=True)
class Description:
    """The captions of a photo.

    Attributes:
        captions: Distinct captions, the best first.
        tree: The candidates of the beam, arrays `(steps, 2 * width)`, see
            `unrolled.decoding.Beams`; None for random samples.
    """

    captions: tuple[Caption, ...]
    tree: dict | None

    @property
    def text(self):
        """The best caption."""
        return self.captions[0].text


class Predictor:
    """A trained network with its tokenizer and image encoder.

    Load it with `Predictor.load(variant)`; it is safe to use from several threads.

    Args:
        network: A `Captioner`.
        tokenizer: A `WordTokenizer`.
        encoder: An `ImageEncoder`.
        card: The bundle's card.
    """

    def __init__(self, network, tokenizer, encoder, card):
        self.network = network
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.card = card
        self.words = tokenizer.words
        self._token_ids = {word: token_id for token_id, word in enumerate(self.words)}
        self._searches, self._searches_lock = {}, threading.Lock()
        self._sample = Compiled(self._sample_graph, xla=False)

    @classmethod
    def load(cls, variant="lstm", folder=None):
        """Load a network of a bundle, once per process.

        Args:
            variant: One of the card's variants: `"lstm"`, `"gru"` or `"rnn"`.
            folder: Path of a bundle; the shipped one if None.

        Raises:
            BundleError: if there is no such variant, or its files are missing or damaged.
        """
        return _load(variant, folder or FOLDER)

    def encode(self, photos, hidden=()):
        """Encode photos.

        Args:
            photos: List of arrays `(224, 224, 3)` of uint8, as from `images.squash`.
            hidden: Numbers of the cells to paint grey, row by row from 0 to 48.

        Returns:
            Features, a float32 array `(photos, 7, 7, features)`.
        """
        if cells := _check_cells(hidden):
            photos = [photo.copy() for photo in photos]
            for photo in photos:
                height, width = (side // GRID_SIZE for side in photo.shape[:2])
                for cell in cells:
                    top, left = cell // GRID_SIZE * height, cell % GRID_SIZE * width
                    photo[top : top + height, left : left + width] = GREY_LEVEL
        return self.encoder.encode(photos)

    def describe(self, photos, width=BEAM_WIDTH, alpha=LENGTH_PENALTY, prefix=(), hidden=()):
        """The `Description` of every photo, by beam search.

        Args:
            photos: List of photos that `images.read` takes.
            width: Beam width; 1 is greedy.
            alpha: Exponent of the length penalty.
            prefix: Words with which every caption must begin.
            hidden: Numbers of the cells to hide, row by row from 0 to 48: they are painted grey
                and excluded from the attention.

        Raises:
            UserError: if a photo cannot be read, the width or the penalty is out of range, a word
                of the prefix is unknown, or there is no such cell.
        """
        check_search(width, alpha)
        with ThreadPoolExecutor() as pool:  # decoding a photo takes as long as encoding it
            pixels = list(pool.map(lambda photo: images.squash(images.read(photo)), photos))
        return self.describe_features(self.encode(pixels, hidden), width, alpha, prefix, hidden)

    def describe_features(
        self, features, width=BEAM_WIDTH, alpha=LENGTH_PENALTY, prefix=(), hidden=()
    ):
        """As `describe`, from the features that `encode` returned; width and penalty unchecked.

        Words of the prefix aside, no caption repeats a word at once or a pair of words.
        """
        constraints = [_build_mask(hidden), self._build_prefix(prefix)]
        search = self._get_search(width)
        descriptions = []
        for start in range(0, len(features), BATCH_BUCKETS[-1]):
            batch = features[start : start + BATCH_BUCKETS[-1]]
            rows = choose_bucket(BATCH_BUCKETS, len(batch))
            inputs = [
                pad_rows(batch, rows),
                *(np.repeat(each, rows, axis=0) for each in constraints),
            ]
            result = search(*inputs, np.float32(alpha))
            beams = [np.asarray(part) for part in (*result.sequences, result.normalized_scores)]
            tree = {name: np.asarray(values) for name, values in result.tree.items()}
            for row in range(len(batch)):
                captions = self._read_captions([part[row] for part in beams])
                branches = {name: values[row] for name, values in tree.items()}
                descriptions.append(Description(captions, branches))
        return descriptions

    def sample(self, photo, count=5, temperature=1.0, seed=0):
        """The `Description` of a photo by random samples of the network's distribution.

        Args:
            photo: A photo that `images.read` takes.
            count: Number of samples; equal captions are returned once.
            temperature: Below 1, likely words become likelier; above 1, less so.
            seed: Integer; the same seed gives the same captions.

        Raises:
            UserError: if the photo cannot be read or the temperature is out of range.
        """
        in_range = isinstance(temperature, int | float)
        if not in_range or not MIN_TEMPERATURE <= temperature <= MAX_TEMPERATURE:
            raise UserError(
                f"The temperature must be a number from {MIN_TEMPERATURE:g} to {MAX_TEMPERATURE:g}."
            )
        features = self.encode([images.squash(images.read(photo))])
        rows = self.sample_features(np.repeat(features, count, axis=0), temperature, seed)
        captions = self._read_captions([*rows, rows[2]])
        return Description(tuple(sorted(captions, key=lambda each: -each.score)), None)

    def sample_features(self, features, temperature=1.0, seed=0):
        """Sample a caption for each row of the features that `encode` returned.

        Returns:
            The arrays of `unrolled.decoding.Sequences`; the first holds token ids `(rows, steps)`,
            0 after the end.
        """
        uniform = np.random.default_rng(seed).uniform(size=(MAX_STEPS, len(features)))
        written = self._sample(features, uniform.astype("float32"), np.float32(temperature))
        return [np.asarray(part) for part in written]

    def _get_search(self, width):
        with self._searches_lock:
            if width not in self._searches:
                self._searches[width] = Compiled(_build_search(self.network, width), xla=False)
            return self._searches[width]

    def _sample_graph(self, features, uniform, temperature):
        step, states, begin = _start_decoding(self.network, features, 1)
        return sample(step, states, begin, END, MAX_STEPS, uniform, temperature)

    def _read_captions(self, rows):
        """The distinct `Caption`s of the arrays of `Sequences` and their scores, row by row."""
        captions = {}
        for tokens, length, score, logs, weights, normalised in zip(*rows, strict=True):
            token_ids = tuple(int(token) for token in tokens[:length])
            if score < MIN_LOG_PROBABILITY / 2 or token_ids in captions:
                continue
            is_complete = token_ids[-1] == END
            captions[token_ids] = Caption(
                words=tuple(self.words[n] for n in token_ids[: length - is_complete]),
                word_probabilities=np.exp(logs[:length]),
                attention=weights[:length, :-1].reshape(length, GRID_SIZE, -1),
                gate=weights[:length, -1],
                score=float(normalised),
                is_complete=is_complete,
            )
        return tuple(captions.values())

    def _build_prefix(self, words):
        """Token ids with which a caption must begin, `(1, steps)`, 0 where it is free."""
        prefix = np.zeros((1, MAX_STEPS), "int32")
        if len(words) >= MAX_STEPS:
            raise UserError(f"A caption has at most {MAX_STEPS - 1} words.")
        for place, word in enumerate(words):
            token_id = self._token_ids.get(word.lower(), UNKNOWN)
            if token_id <= END:
                raise UserError(f"The network does not know the word “{word}”. Try another word.")
            prefix[0, place] = token_id
        return prefix


def _check_cells(cells):
    for cell in cells:
        if not isinstance(cell, int) or not 0 <= cell < GRID_SIZE**2:
            raise UserError(f"There is no square {cell}: they run from 0 to {GRID_SIZE**2 - 1}.")
    return cells


def _build_mask(hidden):
    mask = np.ones((1, GRID_SIZE**2), "bool")
    mask[:, list(_check_cells(hidden))] = False
    return mask


def _start_decoding(network, features, lanes, mask=None):
    """The arguments of the decoders of `unrolled.decoding`: step, initial states, first tokens."""
    from keras import ops

    memory, mean, states = network.encode(features, mask)
    memory, mean = (ops.repeat(values, lanes, axis=0) for values in (memory, mean))
    mask = None if mask is None else ops.repeat(mask, lanes, axis=0)
    token_ids = ops.arange(network.options["vocabulary"], dtype="int32")
    special = ops.where(token_ids <= BEGIN, MIN_LOG_PROBABILITY, 0.0)  # padding, unknown, begin

    def step(tokens, states):
        log_probabilities, states, weights = network.step(tokens, states, memory, mean, mask)
        return ops.cast(log_probabilities, "float32") + special, states, weights

    return step, states, ops.full((features.shape[0],), BEGIN, "int32")


def _constrain(step, states, prefix):
    """Make a step keep to a prefix and, after it, repeat neither a word at once nor a pair.

    Args:
        step, states: As from `_start_decoding`.
        prefix: Token ids `(rows * lanes, steps)`, 0 where the caption is free.

    Returns:
        The new step and its initial states.
    """
    from keras import ops

    places = ops.arange(MAX_STEPS, dtype="int32")

    def constrained_step(tokens, states):
        *states, written = states
        log_probabilities, states, weights = step(tokens, states)
        length = ops.sum(ops.cast(written != PADDING, "int32"), axis=1, keepdims=True)
        written = ops.where(places == length, tokens[:, None], written)  # (rows, steps)
        token_ids = ops.arange(log_probabilities.shape[-1], dtype="int32")
        seen_before = (written[:, :-1] == tokens[:, None]) & (places[:-1] < length)
        followed_by = seen_before[..., None] & (written[:, 1:, None] == token_ids)
        repeated = ops.any(followed_by, axis=1) | (token_ids == tokens[:, None])
        forced = ops.take_along_axis(prefix, ops.minimum(length, MAX_STEPS - 1), axis=1)
        allowed = ops.where(forced == PADDING, ~repeated, forced == token_ids)
        log_probabilities = ops.where(allowed, log_probabilities, MIN_LOG_PROBABILITY)
        return log_probabilities, [*states, written], weights

    return constrained_step, [*states, ops.zeros((states[0].shape[0], MAX_STEPS), "int32")]


def _build_search(network, width):
    def search(features, mask, prefix, alpha):
        from keras import ops

        lanes = width + 1
        step, states, begin = _start_decoding(network, features, lanes, mask)
        step, states = _constrain(step, states, ops.repeat(prefix, lanes, axis=0))
        return beam_search(step, states, begin, END, MAX_STEPS, width, alpha)

    return search


@bundle.load_once
def _load(variant, folder):
    network, _, card = bundle.load_bundle(folder, variant, Captioner)
    encoder = ImageEncoder.load_shared(folder / ENCODER_FILE, **card["encoder"]["network"])
    return Predictor(network, _load_tokenizer(folder), encoder, card)


@cache
def _load_tokenizer(folder):
    return WordTokenizer.load(folder / "tokenizer.json")
