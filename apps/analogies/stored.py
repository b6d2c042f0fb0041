"""What the bundle stores for single sections of the page: smaller vectors, and answers."""

from functools import cache

from apps.analogies import scores
from apps.analogies.predictor import Predictor
from apps.analogies.vectors import FOLDER, Vectors
from shared import bundle, quantize

SIZES_FILE = FOLDER / "sizes.safetensors"


@cache
def load_sizes():
    """Vectors from smaller parts of the corpus.

    Returns:
        Tuple of (words of text, `Predictor`), the smallest first, the whole corpus last.

    Raises:
        BundleError: if the file is damaged.
    """
    full = Predictor.load()
    sizes = []
    if SIZES_FILE.exists():
        arrays = bundle.load_arrays(SIZES_FILE)
        for row in full.card["sizes"]:
            size = row["words"]
            packed = {key: arrays[f"{size}.{key}"] for key in ("codes", "levels")}
            words = [full.vectors.words[n] for n in arrays[f"{size}.words"]]
            sizes.append((size, Predictor(Vectors.of(words, quantize.dequantize_int4(packed)))))
    return (*sizes, (full.card["corpus_words"], full))


@cache
def load_answers():
    """Google's questions with the answers of the shipped vectors: a list of `scores.Section`.

    The answers were stored in training; `python -m training.analogies evaluate` computes them.
    """
    from gensim.test.utils import datapath

    questions, name = {}, ""
    with open(datapath("questions-words.txt"), encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(":"):
                name = line[1:].strip()
                questions[name] = []
            else:
                questions[name].append(tuple(line.lower().split()))
    answers = bundle.load_arrays(FOLDER / "answers.safetensors")["answers"]
    return scores.from_stored_answers(Predictor.load().vectors, questions, answers)
