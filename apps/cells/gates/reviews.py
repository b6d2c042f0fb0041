"""The LSTM of the Sentiment page, rebuilt from its bundle so that its gates can be held."""

import keras
import numpy as np

from apps.cells.gates.holds import HeldReader
from apps.cells.listing import write_script
from shared import bundle
from shared.errors import UserError
from shared.text import UNKNOWN, WordTokenizer, clean
from unrolled.layers import LSTMCell, Recurrent

FOLDER = bundle.MODELS / "sentiment"


class ReviewReader:
    """A trained LSTM that reads film reviews. Load with `ReviewReader.load()`.

    After every word, the log-odds that the review is positive are a linear function of the mean
    and the maximum of the hidden states so far.

    Args:
        arrays: Dict from the names of the weights to arrays: `embeddings`
            `(vocabulary, dimensions)`; `kernel`, `recurrent_kernel` and `bias` of the LSTM cell;
            `head/kernel` `(2 * units, 1)` and `head/bias` `(1,)`.
        tokenizer: A `WordTokenizer`.
        temperature: Divides the log-odds, so that probabilities are calibrated.
    """

    def __init__(self, arrays, tokenizer, temperature):
        embeddings = arrays["embeddings"]
        embedding = keras.layers.Embedding(*embeddings.shape)
        embedding.build()
        embedding.set_weights([embeddings])
        self.units = len(arrays["recurrent_kernel"])
        layer = Recurrent(LSTMCell(self.units), return_sequences=True)
        layer.build((None, None, embeddings.shape[1]))
        layer.set_weights([arrays[name] for name in ("kernel", "recurrent_kernel", "bias")])
        self._reader = HeldReader(embedding, layer)
        self._head = arrays["head/kernel"][:, 0], arrays["head/bias"][0]
        self._tokenizer, self._temperature = tokenizer, temperature

    @classmethod
    def load(cls, folder=None):
        """The LSTM of a bundle, read once per process; the shipped one if `folder` is None.

        Raises:
            BundleError: if its files are missing or damaged.
        """
        return _load(folder or FOLDER)

    def read(self, text, hold=None, after=0):
        """Reads a review word by word.

        Args:
            text: The review.
            hold: A `Hold`, or None.
            after: Number of words before the hold begins.

        Returns:
            The words, a list of strings, and the probability after each word that the review is
            positive, `(words,)`.

        Raises:
            UserError: if the network knows none of the words.
        """
        text = clean(text)
        numbers, places, _ = self._tokenizer.locate(text)
        words = [text[start:end] for start, end in places]
        if not any(n != UNKNOWN and word.isalnum() for n, word in zip(numbers, words, strict=True)):
            raise UserError("The network knows none of these words. Type a film review in English.")
        hidden = self._reader.trace(numbers, hold, after)["hidden"]  # (words, units)
        mean = np.cumsum(hidden, axis=0) / np.arange(1, len(hidden) + 1, dtype="float32")[:, None]
        pooled = np.concatenate([mean, np.maximum.accumulate(hidden)], axis=1)
        kernel, bias = self._head
        return words, 1 / (1 + np.exp(-(pooled @ kernel + bias) / self._temperature))


@bundle.load_once
def _load(folder):
    details = bundle.read_card(folder)["variants"]["lstm"]
    stored = bundle.load_arrays(folder / "lstm.safetensors")
    names = {"embeddings", "kernel", "recurrent_kernel", "bias", "head/kernel", "head/bias"}
    arrays = {}
    for path, array in stored.items():
        *_, layer, name = path.split("/")
        arrays[f"head/{name}" if layer == "head" else name] = array
    if missing := names - arrays.keys():
        raise bundle.BundleError(f"The bundle {folder.name} lacks {', '.join(sorted(missing))}.")
    tokenizer = WordTokenizer.load(folder / "tokenizer.json")
    return ReviewReader(arrays, tokenizer, details["calibration"]["temperature"])


def write_listing(text, hold, after):
    """The code that reads a review with a hold; its `probabilities` are those of the page."""
    unit = "" if hold.unit is None else f", unit={hold.unit}"
    return write_script(
        "from apps.cells.gates.holds import Hold\n"
        "from apps.cells.gates.reviews import ReviewReader",
        f"""
hold = Hold({hold.what!r}, {hold.value!r}{unit})
words, probabilities = ReviewReader.load().read({text!r}, hold, after={after})
for word, probability in zip(words, probabilities):
    print(f"{{word:16}}{{probability:.3f}}")
""",
    )
