"""Scores of captions against references: BLEU, CIDEr-D and ROUGE-L.

Words are compared in lower case and without punctuation. BLEU is sacrebleu's; CIDEr-D (Vedantam,
Zitnick & Parikh 2015) and ROUGE-L (Lin 2004) follow the code of the COCO captions challenge.
"""

import math
import re
from collections import Counter

import numpy as np

_WORD = re.compile(r"[^\W_]+(?:'[^\W\d_]+)*")
MAX_ORDER = 4  # words of the longest n-grams


def split_words(text):
    """Split a caption into words, in lower case and without punctuation."""
    return _WORD.findall(text.lower().replace("’", "'"))


def score_captions(captions, references, prefix=""):
    """All scores of a corpus.

    Args:
        captions: List of captions.
        references: The references of each caption, lists of at least one string.
        prefix: Put before the names of the scores.

    Returns:
        Dict `bleu1` to `bleu4` (0 to 100), `cider` (1.0 is 100 on the usual scale) and `rouge_l`
        (0 to 1).
    """
    captions = [split_words(text) for text in captions]
    references = [[split_words(text) for text in texts] for texts in references]
    scores = {f"bleu{n}": bleu(captions, references, n) for n in range(1, MAX_ORDER + 1)}
    scores["cider"] = float(np.mean(Cider(references).score_each(captions, references)))
    pairs = zip(captions, references, strict=True)
    scores["rouge_l"] = float(np.mean([rouge_l(*pair) for pair in pairs]))
    digits = {"cider": 4, "rouge_l": 4}
    return {prefix + name: round(value, digits.get(name, 2)) for name, value in scores.items()}


def bleu(captions, references, max_order=MAX_ORDER):
    """BLEU of a corpus (Papineni et al. 2002), 0 to 100; arguments as lists of words."""
    from sacrebleu.metrics import BLEU

    most = max(map(len, references))
    columns = [
        [" ".join(texts[n]) if n < len(texts) else None for texts in references]
        for n in range(most)
    ]
    metric = BLEU(tokenize="none", smooth_method="none", max_ngram_order=max_order)
    return metric.corpus_score([" ".join(words) for words in captions], columns).score


class Cider:
    """CIDEr-D, which gives less weight to n-grams that occur in the references of many photos.

    Args:
        references: All references of the test set: for each photo a list of lists of words.
    """

    def __init__(self, references):
        self.photos = len(references)
        self.frequency = Counter()
        for texts in references:
            self.frequency.update({gram for words in texts for gram in _count_grams(words)})

    def score_each(self, captions, references):
        """The score of each caption, an array; arguments as lists of words."""
        return np.array([self._score(*pair) for pair in zip(captions, references, strict=True)])

    def _score(self, words, references):
        caption = self._vectors(words)
        total = 0.0
        for reference in references:
            vectors = self._vectors(reference)
            penalty = math.exp(-((len(words) - len(reference)) ** 2) / (2 * 6.0**2))
            for (a, norm_a), (b, norm_b) in zip(caption, vectors, strict=True):
                product = sum(
                    min(weight, b[gram]) * b[gram] for gram, weight in a.items() if gram in b
                )
                if norm_a and norm_b:
                    total += penalty * product / (norm_a * norm_b)
        return 10 * total / MAX_ORDER / len(references)

    def _vectors(self, words):
        """For each order, the weights of the n-grams and their norm."""
        vectors = [{} for _ in range(MAX_ORDER)]
        for gram, count in _count_grams(words).items():
            rarity = math.log(self.photos) - math.log(max(1, self.frequency[gram]))
            vectors[len(gram) - 1][gram] = count * rarity
        return [(v, math.sqrt(sum(x * x for x in v.values()))) for v in vectors]


def rouge_l(words, references, beta=1.2):
    """ROUGE-L of a caption: the F score of the longest common subsequences with the references."""
    if not words:
        return 0.0
    common = [_common_length(words, reference) for reference in references]
    precision = max(common) / len(words)
    recall = max(c / max(1, len(r)) for c, r in zip(common, references, strict=True))
    if not precision or not recall:
        return 0.0
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)


def _common_length(a, b):
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for word in a:
        diagonal = 0
        for place, other in enumerate(b, 1):
            above = row[place]
            row[place] = diagonal + 1 if word == other else max(above, row[place - 1])
            diagonal = above
    return row[-1]


def _count_grams(words):
    """The counts of the n-grams of one to four words, tuples."""
    return Counter(
        tuple(words[place : place + n])
        for n in range(1, MAX_ORDER + 1)
        for place in range(len(words) - n + 1)
    )
