"""The corpus of the word vectors, and the questions that score them."""

import logging
import math
import random
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from shared.text import plain_words
from training import rows
from training.command import checkpoint_dir, data_folder
from training.datasets import words

log = logging.getLogger(__name__)

Input = Annotated[Path | None, typer.Option(help="Your own text: a paragraph a line.")]


def write_corpus(paragraphs, path, seed):
    """Write paragraphs to a file, a line each, and count their words.

    They are shuffled, so that the first lines are a fair sample of all; see `Corpus.first`.

    Args:
        paragraphs: Iterable of lists of words.
        path: File to write.
        seed: Integer, of the order.

    Returns:
        A `Corpus`.
    """
    lines = [" ".join(paragraph) + "\n" for paragraph in paragraphs]
    random.Random(seed).shuffle(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(lines)
    partial.replace(path)
    return Corpus.read(path)


@dataclass(frozen=True, eq=False)
class Corpus:
    """A file of paragraphs, a line each, its words separated by spaces.

    Attributes:
        path: The file.
        counts: Dict from word to how often it occurs.
        lines: How many paragraphs there are.
    """

    path: Path
    counts: dict
    lines: int

    @property
    def size(self):
        """How many words there are."""
        return sum(self.counts.values())

    @classmethod
    def read(cls, path):
        counts, lines = Counter(), 0
        with path.open(encoding="utf-8") as file:
            for line in file:
                counts.update(line.split())
                lines += 1
        return cls(path, counts, lines)

    def first(self, size):
        """The first lines, up to `size` words, as a corpus of its own."""
        path = self.path.with_name(f"corpus-{size}.txt")
        if not path.exists():
            total = 0
            partial = path.with_suffix(".partial")
            with self.path.open(encoding="utf-8") as lines, partial.open("w") as file:
                for line in lines:
                    total += line.count(" ") + 1
                    if total > size:
                        break
                    file.write(line)
            partial.replace(path)
        return Corpus.read(path)


def with_phrases(corpus):
    """A corpus in which pairs of words that belong together are one word, such as new_york.

    These are pairs that occur at least 20 times, and ten times as often as their words would meet
    by chance (Mikolov et al. 2013, equation 6).
    """
    from gensim.models.phrases import ENGLISH_CONNECTOR_WORDS, Phrases
    from gensim.models.word2vec import LineSentence

    path = corpus.path.with_name(f"{corpus.path.stem}-phrases.txt")
    if not path.exists():
        sentences = LineSentence(str(corpus.path), max_sentence_length=1_000_000)
        phrases = Phrases(
            sentences, min_count=20, threshold=10, connector_words=ENGLISH_CONNECTOR_WORDS
        ).freeze()
        partial = path.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            file.writelines(" ".join(phrases[words]) + "\n" for words in sentences)
        partial.replace(path)
    return Corpus.read(path)


def read_corpus(data_dir, input, work_dir, seed):
    """The corpus as a file in the folder of its checkpoints, and that folder.

    Args:
        data_dir, input, work_dir, seed: As on the command line.
    """
    work_dir = checkpoint_dir("analogies", work_dir, data_dir)
    if input:
        text = rows.read_text(input)
        paragraphs = [line for line in map(plain_words, text.split("\n")) if line]
        # A run is resumed only with the text that it was started with.
        folder = work_dir / f"{zlib.crc32(text.encode()):08x}-{seed}"
    else:
        folder = work_dir / f"official-{seed}"
    path = folder / "corpus.txt"
    if not path.exists():
        if not input:
            log.info("reading Wikipedia and the reviews")
            data_dir = data_folder(data_dir)
            paragraphs = [*words.wikipedia(data_dir), *words.reviews(data_dir)]
        write_corpus(paragraphs, path, seed)
    corpus = Corpus.read(path)
    log.info("%d words in %d paragraphs", corpus.size, corpus.lines)
    return corpus, folder


def count_paragraphs(corpus, vocabulary):
    """In how many paragraphs each word occurs: int32 `(words,)`."""
    counts = Counter()
    with corpus.path.open(encoding="utf-8") as lines:
        for line in lines:
            counts.update(set(line.split()))
    return np.array([counts[word] for word in vocabulary], "int32")


def official_tests():
    """Google's questions (Mikolov et al. 2013) and WordSim-353, which gensim brings along."""
    from gensim.test.utils import datapath

    return (
        read_questions(Path(datapath("questions-words.txt"))),
        read_similarity(Path(datapath("wordsim353.tsv"))),
    )


def validation_questions():
    """Questions to choose settings on: one of every two pairs of a line of `validation.txt`."""
    lines = Path(__file__).with_name("validation.txt").read_text(encoding="utf-8")
    sections = {}
    for line in lines.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.partition(":")
            pairs = [tuple(pair.split()) for pair in rest.split(",")]
            sections[name] = [(a, b, c, d) for a, b in pairs for c, d in pairs if a != c and b != d]
    return sections


def read_similarity(path):
    """Pairs of words with people's score of their similarity: rows `word word score`.

    Args:
        path: File with tabs or commas between the cells; lines that begin with # are left out.

    Returns:
        List of `(word, word, score)`.

    Raises:
        typer.BadParameter: if the file or a line cannot be used; the message names the line.
    """
    pairs = []
    for number, line in rows.numbered_lines(path):
        cells = line.replace(",", "\t").split("\t")
        if line.startswith("#"):
            continue
        try:
            first, second, score = cells[0].lower(), cells[1].lower(), float(cells[2])
        except (IndexError, ValueError):
            if not pairs:  # a header
                continue
            score = math.nan
        if not math.isfinite(score):
            raise typer.BadParameter(f"{path}, line {number}: expected two words and a score.")
        pairs.append((first.strip(), second.strip(), score))
    if not pairs:
        raise typer.BadParameter(f"{path} has no pairs of words with a score.")
    return pairs


def read_questions(path):
    """Analogy questions by section, in Google's format: `: section`, then four words a line.

    Returns:
        Dict from section to a list of `(a, b, c, d)`, lower-cased.

    Raises:
        typer.BadParameter: if the file or a line cannot be used, or there are no questions; the
            message names the line.
    """
    sections = {}
    for number, line in rows.numbered_lines(path):
        words = line.lower().split()
        if line.startswith(":"):
            section = sections.setdefault(" ".join(words).lstrip(": "), [])
        elif len(words) != 4 or not sections:
            raise typer.BadParameter(
                f"{path}, line {number}: expected “: section” or four words with spaces between."
            )
        else:
            section.append(tuple(words))
    if not any(sections.values()):
        raise typer.BadParameter(f"{path} has no questions.")
    return sections
