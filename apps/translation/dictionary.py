"""The baseline: word for word, from a dictionary that IBM model 1 learns from sentence pairs."""

import json
import re
from functools import cache

import numpy as np

from shared import bundle

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*['’]?|\d+|[^\w\s]")
_NO_SPACE_BEFORE = re.compile(r" ([.,)\]…])")


class Dictionary:
    """Writes for every English word the French one it is likeliest to stand for.

    Args:
        entries: Dict from lower-cased English words to French ones.
    """

    def __init__(self, entries):
        self.entries = entries

    @classmethod
    def fit(cls, pairs, rounds=5, least=2):
        """Learn the chances t(f | e) by expectation maximisation: IBM model 1 (Brown et al. 1993).

        Args:
            pairs: List of (English, French) sentences.
            rounds: How often expectation and maximisation alternate.
            least: How often an English word must occur to be kept.
        """
        english, french = {}, {}
        links, owners = [], []  # every English with every French word of its pair
        for source, target in pairs:
            these = [english.setdefault(word, len(english)) for word in split(source.lower())]
            those = [french.setdefault(word, len(french)) for word in split(target.lower())]
            links.append(np.stack(np.meshgrid(these, those), -1).reshape(-1, 2))
            # One owner for each French word: its chances over the English ones sum to 1.
            owners.append(np.repeat(np.arange(len(those)), len(these)))
        starts = np.cumsum([0] + [part[-1] + 1 if len(part) else 0 for part in owners])
        owners = np.concatenate([p + s for p, s in zip(owners, starts, strict=False)])
        links = np.concatenate(links)
        kinds, place = np.unique(links[:, 0] * len(french) + links[:, 1], return_inverse=True)
        source_of = kinds // len(french)
        chances = np.ones(len(kinds))
        for _ in range(rounds):
            weight = chances[place]
            weight /= np.bincount(owners, weight)[owners]
            counts = np.bincount(place, weight)
            chances = counts / np.bincount(source_of, counts)[source_of]
        best = {}
        order = np.argsort(chances, kind="stable")  # the likeliest overwrites the others
        best = dict(zip(source_of[order].tolist(), (kinds % len(french))[order], strict=True))
        seen = np.bincount([english[w] for s, _ in pairs for w in split(s.lower())])
        words = list(french)
        return cls(
            {w: words[best[n]] for w, n in english.items() if n in best and seen[n] >= least}
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
        text = json.dumps(self.entries, ensure_ascii=False, separators=(",", ":"))
        (folder / "dictionary.json").write_text(text + "\n", encoding="utf-8")

    def translate(self, text):
        """A text word for word; unknown words stay as they are."""
        words = [self.entries.get(word.lower(), word) for word in split(text)]
        line = _NO_SPACE_BEFORE.sub(r"\1", " ".join(words)).replace("' ", "'")
        return line[:1].upper() + line[1:]


def split(text):
    """The words, figures and marks of a text."""
    return _WORD.findall(text)
