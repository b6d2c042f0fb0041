"""How good captions are beside what people wrote: BLEU, CIDEr-D and ROUGE-L.

Words are compared in lower case and without punctuation. BLEU is sacrebleu's; CIDEr-D (Vedantam,
Zitnick & Parikh 2015) and ROUGE-L (Lin 2004) follow the code of the COCO captions challenge.
"""

import math
import re
from collections import Counter

import numpy as np

_WORD = re.compile(r"[^\W_]+(?:'[^\W\d_]+)*")
LONGEST = 4  # words of an n-gram


def split_words(text):
    """The words of a caption as they are compared: lower case, no punctuation."""
    return _WORD.findall(text.lower().replace("’", "'"))


def score_captions(written, references, prefix=""):
    """All scores of a corpus.

    Args:
        written: List of captions.
        references: For each, the list of what people wrote, at least one.
        prefix: Put before the names.

    Returns:
        Dict `bleu1` to `bleu4` (0 to 100), `cider` (1.0 is a hundred per cent of the usual scale)
        and `rouge_l` (0 to 1).
    """
    written = [split_words(text) for text in written]
    references = [[split_words(text) for text in texts] for texts in references]
    found = {f"bleu{n}": bleu(written, references, n) for n in range(1, LONGEST + 1)}
    found["cider"] = float(np.mean(Cider(references).score_each(written, references)))
    pairs = zip(written, references, strict=True)
    found["rouge_l"] = float(np.mean([rouge_l(*pair) for pair in pairs]))
    digits = {"cider": 4, "rouge_l": 4}
    return {prefix + name: round(value, digits.get(name, 2)) for name, value in found.items()}


def bleu(written, references, longest=LONGEST):
    """BLEU of a corpus (Papineni et al. 2002), 0 to 100; arguments as lists of words."""
    from sacrebleu.metrics import BLEU

    most = max(map(len, references))
    columns = [
        [" ".join(texts[n]) if n < len(texts) else None for texts in references]
        for n in range(most)
    ]
    metric = BLEU(tokenize="none", smooth_method="none", max_ngram_order=longest)
    return metric.corpus_score([" ".join(words) for words in written], columns).score


class Cider:
    """CIDEr-D, which weighs n-grams down that stand in the references of many photographs.

    Args:
        references: Of the whole test set, lists of lists of words.
    """

    def __init__(self, references):
        self.photos = len(references)
        self.frequency = Counter()
        for texts in references:
            self.frequency.update({gram for words in texts for gram in _grams(words)})

    def score_each(self, written, references):
        """The score of every caption, an array; arguments as lists of words."""
        return np.array([self._score(*pair) for pair in zip(written, references, strict=True)])

    def _score(self, words, references):
        mine = self._vectors(words)
        total = 0.0
        for reference in references:
            theirs = self._vectors(reference)
            penalty = math.exp(-((len(words) - len(reference)) ** 2) / (2 * 6.0**2))
            for (a, size_a), (b, size_b) in zip(mine, theirs, strict=True):
                product = sum(
                    min(weight, b[gram]) * b[gram] for gram, weight in a.items() if gram in b
                )
                if size_a and size_b:
                    total += penalty * product / (size_a * size_b)
        return 10 * total / LONGEST / len(references)

    def _vectors(self, words):
        """For each length, the weights of the n-grams and their norm."""
        vectors = [{} for _ in range(LONGEST)]
        for gram, count in _grams(words).items():
            rarity = math.log(self.photos) - math.log(max(1, self.frequency[gram]))
            vectors[len(gram) - 1][gram] = count * rarity
        return [(v, math.sqrt(sum(x * x for x in v.values()))) for v in vectors]


def rouge_l(words, references, beta=1.2):
    """ROUGE-L of a caption: longest common subsequences, best precision and recall, F of `beta`."""
    if not words:
        return 0.0
    common = [_common(words, reference) for reference in references]
    precision = max(common) / len(words)
    recall = max(c / max(1, len(r)) for c, r in zip(common, references, strict=True))
    if not precision or not recall:
        return 0.0
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)


def _common(a, b):
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for word in a:
        diagonal = 0
        for place, other in enumerate(b, 1):
            above = row[place]
            row[place] = diagonal + 1 if word == other else max(above, row[place - 1])
            diagonal = above
    return row[-1]


def _grams(words):
    """How often each n-gram stands in a list of words, as tuples of one to four."""
    return Counter(
        tuple(words[place : place + n])
        for n in range(1, LONGEST + 1)
        for place in range(len(words) - n + 1)
    )
