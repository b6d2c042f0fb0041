"""The baseline: translation word for word, with a dictionary learned by IBM model 1."""

import json
import re
from functools import cache

import numpy as np

from shared import bundle

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*['’]?|\d+|[^\w\s]")
_NO_SPACE_BEFORE = re.compile(r" ([.,)\]…])")


class Dictionary:
    """Replaces every English word by the French one that is likeliest to translate it.

    Args:
        entries: Dict from lower-cased English words to French ones.
    """

    def __init__(self, entries):
        self.entries = entries

    @classmethod
    def fit(cls, pairs, iterations=5, min_count=2):
        """Learn t(f | e) by expectation maximisation: IBM model 1 (Brown et al. 1993).

        Args:
            pairs: List of (English, French) sentences.
            iterations: Number of iterations of expectation and maximisation.
            min_count: How often an English word must occur to be kept.
        """
        english, french = {}, {}  # word -> number
        links = []  # for each pair: every English word with every French one, (links, 2)
        french_positions = []  # for each link, the position of its French word in the corpus
        positions = 0
        for source, target in pairs:
            e = [english.setdefault(word, len(english)) for word in split(source.lower())]
            f = [french.setdefault(word, len(french)) for word in split(target.lower())]
            links.append(np.stack(np.meshgrid(e, f), -1).reshape(-1, 2))
            french_positions.append(np.repeat(np.arange(len(f)) + positions, len(e)))
            positions += len(f)
        links, french_positions = np.concatenate(links), np.concatenate(french_positions)
        keys, entry = np.unique(links[:, 0] * len(french) + links[:, 1], return_inverse=True)
        english_of, french_of = keys // len(french), keys % len(french)
        t = np.ones(len(keys))  # t(f | e) of each pair of words that occurs
        for _ in range(iterations):
            # The probabilities that a French word comes from each English one sum to 1.
            posterior = t[entry]
            posterior /= np.bincount(french_positions, posterior)[french_positions]
            counts = np.bincount(entry, posterior)
            t = counts / np.bincount(english_of, counts)[english_of]
        order = np.argsort(t, kind="stable")  # the likeliest translation comes last and stays
        best = dict(zip(english_of[order].tolist(), french_of[order], strict=True))
        counts = np.bincount([english[word] for text, _ in pairs for word in split(text.lower())])
        words = list(french)
        return cls(
            {
                word: words[best[number]]
                for word, number in english.items()
                if number in best and counts[number] >= min_count
            }
        )

    @classmethod
    @cache
    def load(cls, folder):
        """The dictionary of a bundle.

        Raises:
            BundleError: if it is missing or damaged.
        """
        try:
            return cls(json.loads((folder / "dictionary.json").read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise bundle.BundleError(f"{folder.name}/dictionary.json cannot be read.") from error

    def save(self, folder):
        """Write the dictionary into the folder of a bundle."""
        text = json.dumps(self.entries, ensure_ascii=False, separators=(",", ":"))
        (folder / "dictionary.json").write_text(text + "\n", encoding="utf-8")

    def translate(self, text):
        """Translate a text word for word; unknown words stay as they are."""
        words = [self.entries.get(word.lower(), word) for word in split(text)]
        line = _NO_SPACE_BEFORE.sub(r"\1", " ".join(words)).replace("' ", "'")
        return line[:1].upper() + line[1:]


def split(text):
    """The words, numbers and punctuation marks of a text."""
    return _WORD.findall(text)
