"""Trees of typed sentences, and the sentiment of every phrase in them."""

import json
from dataclasses import dataclass

import numpy as np

from apps.sentiment.trees.model import SpanParser, TreeNetwork, best_tree, spans_of
from apps.sentiment.trees.words import MAX_WORDS, locate_words, normalise, split_sentences
from shared import bundle
from shared.compiled import Compiled
from shared.errors import UserError
from shared.text import UNKNOWN, choose_bucket, clean, find_foreign_script, pad
from unrolled.layers import schedule

FOLDER = bundle.MODELS / "trees"
PADDED_LENGTHS = (16, MAX_WORDS)  # few shapes, few graphs
WIDTH = 8  # nodes of a step
ENDING_LETTERS = 3
MAX_SENTENCES = 50  # of a text that can be chosen from


@dataclass(frozen=True)
class Phrase:
    """A node of a tree.

    Attributes:
        text: Its words, as they stand in the sentence.
        start, end: Number of its first word, and of the first word after it.
        children: Numbers of its two parts among the phrases; empty for a word.
        probabilities: Of the five classes, from very negative to very positive, `(5,)`.
    """

    text: str
    start: int
    end: int
    children: tuple[int, ...]
    probabilities: np.ndarray

    @property
    def label(self):
        """The likeliest class, from 0 (very negative) to 4 (very positive)."""
        return int(self.probabilities.argmax())

    @property
    def sentiment(self):
        """The mean of the classes from −1 (very negative) to 1 (very positive)."""
        return float(self.probabilities @ np.linspace(-1, 1, 5))


@dataclass(frozen=True)
class TreeReading:
    """The tree of a sentence.

    Attributes:
        sentences: All sentences of the text.
        chosen: Which of them was read.
        words: Its words, as the treebank splits them.
        known: Whether each is in the vocabulary.
        total_words: Number of words in the sentence, including those that were not read.
        phrases: All nodes, words first and in order, parts before wholes; the last is the root.
    """

    sentences: tuple[str, ...]
    chosen: int
    words: tuple[str, ...]
    known: tuple[bool, ...]
    total_words: int
    phrases: tuple[Phrase, ...]


def ending_of(word):
    """The last letters of a word and the kind of its first character: a hint at its part of speech.

    `Walking` gives `Aing`, `walking` `aing` and `1990s` `.00s`.
    """
    first = "A" if word[:1].isupper() else "a" if word[:1].isalpha() else "."
    return f"{first}{normalise(word)[-ENDING_LETTERS:]}"


class Vocabulary:
    """The words and endings that the networks know; 0 pads, 1 is unknown.

    Args:
        words: List of normalised words, those that the parser knows too first.
        endings: List of endings, as `ending_of` makes them.
    """

    def __init__(self, words, endings):
        self.words, self.endings = list(words), list(endings)
        self._words = {word: n for n, word in enumerate(words, start=2)}
        self._endings = {ending: n for n, ending in enumerate(endings, start=2)}

    def __contains__(self, word):
        return normalise(word) in self._words

    def encode(self, words, size=None):
        """Numbers of words, int32 `(words,)`; those from `size` on count as unknown."""
        numbers = np.array([self._words.get(normalise(word), UNKNOWN) for word in words], "int32")
        return numbers if size is None else np.where(numbers < size, numbers, UNKNOWN)

    def encode_endings(self, words):
        """Numbers of the endings of words, int32 `(words,)`."""
        numbers = [self._endings.get(ending_of(word), UNKNOWN) for word in words]
        return np.array(numbers, "int32")

    def save(self, path):
        """Write the vocabulary to a JSON file."""
        content = {"words": self.words, "endings": self.endings}
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        path.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path):
        """The vocabulary of a file.

        Raises:
            BundleError: if it is missing or damaged.
        """
        try:
            parts = json.loads(path.read_text(encoding="utf-8"))
            return cls(parts["words"], parts["endings"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"{path.parent.name}/{path.name} cannot be read."
            raise bundle.BundleError(message) from error


class TreePredictor:
    """The parser and the tree LSTM of a bundle. Load with `TreePredictor.load()`; thread-safe."""

    def __init__(self, network, parser, vocabulary, temperature, card):
        self.network, self.parser = network, parser
        self.vocabulary = vocabulary
        self.temperature = temperature
        self.card = card
        self._span_scores = Compiled(
            lambda words, endings: parser({"words": words, "endings": endings}), xla=False
        )
        self._logits = Compiled(
            lambda words, children: network({"words": words, "children": children}), xla=False
        )

    @classmethod
    def load(cls, folder=None):
        """The networks of a bundle, read once per process.

        Args:
            folder: Path of a bundle; the shipped one if None.

        Raises:
            BundleError: if its files are missing or damaged.
        """
        return _load(folder or FOLDER)

    def read(self, text, sentence=0):
        """The `TreeReading` of a sentence of a text.

        Args:
            text: The text.
            sentence: Number of the sentence, from 0.

        Raises:
            UserError: if there is nothing to read or no such sentence.
        """
        if not text.strip():
            raise UserError("There is nothing to read yet. Type a sentence in English.")
        text = clean(text)
        if script := find_foreign_script(text):
            raise UserError(
                f"This text is mostly in another alphabet ({script}). "
                "The networks have only learned English: try an English sentence."
            )
        sentences = [part for part in split_sentences(text) if any(map(str.isalpha, part))]
        if not sentences:
            raise UserError("There are no words in this text. Type a sentence in English.")
        sentences = sentences[:MAX_SENTENCES]
        if not 0 <= sentence < len(sentences):
            raise UserError(
                f"There is no sentence {sentence + 1}: choose one from 1 to {len(sentences)}."
            )
        chosen = sentences[sentence]
        places = locate_words(chosen)
        total, places = len(places), places[:MAX_WORDS]
        words = [word for word, _, _ in places]
        tree = self.parse(words)
        probabilities = self.probabilities(words, tree)
        phrases = [
            Phrase(
                chosen[places[start][1] : places[end - 1][2]],
                int(start),
                int(end),
                () if node < len(words) else tuple(map(int, tree[node - len(words)])),
                probabilities[node],
            )
            for node, (start, end) in enumerate(spans_of(tree))
        ]
        known = tuple(word in self.vocabulary for word in words)
        return TreeReading(tuple(sentences), sentence, tuple(words), known, total, tuple(phrases))

    def parse(self, words):
        """The tree of at most `MAX_WORDS` words, an integer array `(words - 1, 2)`."""
        length = choose_bucket(PADDED_LENGTHS, len(words))
        size = self.parser.options["vocabulary"]
        numbers = pad([self.vocabulary.encode(words, size)], length)
        endings = pad([self.vocabulary.encode_endings(words)], length)
        scores = np.asarray(self._span_scores(numbers, endings))[0, ..., 0]
        return best_tree(scores[: len(words) + 1, : len(words) + 1])

    def probabilities(self, words, tree):
        """Calibrated probabilities of the classes at every node of a tree, `(nodes, 5)`."""
        length = choose_bucket(PADDED_LENGTHS, len(words))
        numbers = pad([self.vocabulary.encode(words)], length)[0]
        alone = [np.zeros((0, 2), int)] * (length - len(words))  # padding: trees of one word
        children, rows = schedule([tree, *alone], WIDTH, steps=length)
        logits = np.asarray(self._logits(numbers, children))[rows[0]] / self.temperature
        logits = np.exp(logits - logits.max(axis=1, keepdims=True))
        return logits / logits.sum(axis=1, keepdims=True)


@bundle.load_once
def _load(folder):
    network, details, card = bundle.load_bundle(folder, "tree", TreeNetwork)
    parser, _, _ = bundle.load_bundle(folder, "parser", SpanParser)
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    sizes = len(vocabulary.words) + 2, len(vocabulary.endings) + 2
    if sizes != (network.options["vocabulary"], parser.options["endings"]):
        raise bundle.BundleError(f"The vocabulary of {folder.name} does not fit its networks.")
    return TreePredictor(network, parser, vocabulary, details["temperature"], card)
