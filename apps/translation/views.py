"""HTML of the translation page: the answer, aligned words, tables, and what is in training data."""

import numpy as np
from markupsafe import Markup

from apps.translation import charts
from shared.plots import chance, percent, signed
from shared.site import components

# The networks of the study: title, name in `PALETTE`, whether their line is dashed.
NETWORKS = {
    "attention": ("LSTM with attention", "lstm", False),
    "small": ("LSTM with attention, small", "input", False),
    "gru": ("GRU with attention", "gru", False),
    "rnn": ("RNN with attention", "rnn", False),
    "deep": ("Two layers of LSTM with attention", "output", False),
    "plain": ("LSTM, no attention", "lstm", True),
    "reversed": ("LSTM, no attention, source reversed", "baseline", True),
}
UNLIKELY_WORD = 0.35  # a word below this probability is underlined
# Of the validation translations below this confidence 45 % are poor (chrF below 40), of all 10 %.
# Low attention to English words, repeated words and missing numbers were no sign of poor ones.
LOW_CONFIDENCE = 0.55
MAX_NOTES = 6  # shown above an answer
BATCH_PREVIEW_ROWS, BATCH_PREVIEW_CHARACTERS = 5, 120
PREVIEW_SENTENCE, PREVIEW_MIN_WEIGHT = "He lives in a small white house.", 0.05
EMPTY_TEXT = "(empty)"


def warnings(sentence, overlap, usual_words):
    """Reasons not to trust a translation, the gravest first: a list of sentences.

    Args:
        sentence: A `Sentence`.
        overlap: Its `Overlap` with the training data.
        usual_words: The length in words that one training sentence in a thousand exceeds.
    """
    if sentence.copied:
        return []
    reasons = []
    if not sentence.text.strip():
        reasons.append(
            "The network wrote nothing: it ended the translation before the first word. Put the "
            "sentence in other words, or raise the length penalty."
        )
    reasons += _unknown_words_warning(sentence, overlap)
    count = len(overlap.words)
    if count > usual_words:
        reasons.append(
            f"This sentence has {count} words. Of 1,000 training sentences, 999 have at most "
            f"{usual_words}, so the network has hardly practised this length. Shorter sentences "
            "are safer."
        )
    if sentence.is_doubtful:
        reasons.append(
            f"This translation is probably poor: the estimated chance is {percent(sentence.risk)}."
        )
    elif sentence.risk is None and sentence.confidence < LOW_CONFIDENCE:
        reasons.append(
            f"Low confidence: on average the network gave each piece it wrote a chance of "
            f"{percent(sentence.confidence)}. Nearly half of such translations are poor."
        )
    return reasons


def _unknown_words_warning(sentence, overlap):
    """A list with one warning if words of a sentence do not occur in the training data."""
    words = [
        sentence.source[start:end]
        for (start, end), occurs in zip(overlap.spans, overlap.words, strict=True)
        if not occurs
    ]
    words = list(dict.fromkeys(word for word in words if not word.isdigit()))
    if not words:
        return []
    count = len(overlap.words)
    named = ", ".join(f"“{word}”" for word in words[:4]) + (" …" if len(words) > 4 else "")
    if len(words) > 1 and len(words) > count / 3:
        return [
            f"{len(words)} of its {count} words occur in no training sentence ({named}). If this "
            "is English at all, it is very different from the training data: do not trust the "
            "translation."
        ]
    return [
        f"No training sentence contains {named}. Such words are spelt from pieces, and often "
        "wrongly."
    ]


def notes(sentence):
    """What happened to a sentence that its reader should know: a list of sentences."""
    if sentence.copied:
        return ["There are no words in this to translate: it is copied."]
    remarks = []
    if sentence.read_tokens is not None and sentence.read_tokens < len(sentence.pieces):
        remarks.append(
            f"This sentence is too long: only its first {sentence.read_tokens} tokens were read."
        )
    if sentence.unknown_characters:
        count = sentence.unknown_characters
        remarks.append(
            f"{count} of its characters {'occurs' if count == 1 else 'occur'} in no training "
            "sentence. Where the network writes an unknown character, the one that it attends to "
            "most is copied."
        )
    if sentence.is_cut_off:
        remarks.append("The translation was cut off at the greatest length allowed.")
    return remarks


def answer(translation, warnings_by_sentence, card, word_for_word=str):
    """The confidence, what speaks against the answer, and the aligned words.

    Args:
        translation: A `Translation`.
        warnings_by_sentence: For each of its sentences the list of `warnings`.
        card: The bundle's card.
        word_for_word: Function of an English sentence that gives the dictionary's translation,
            which stands beside a doubtful one.
    """
    several = len(translation.sentences) > 1
    remarks = [
        f"Sentence {number}: {remark}" if several else remark
        for number, (sentence, reasons) in enumerate(
            zip(translation.sentences, warnings_by_sentence, strict=True), 1
        )
        for remark in (*reasons, *notes(sentence))
    ]
    if len(remarks) > MAX_NOTES:
        more = len(remarks) - MAX_NOTES + 1
        remarks = [*remarks[: MAX_NOTES - 1], f"There are {more} more remarks like these."]
    details, baseline = card["variants"]["attention"], card["baseline"]
    score_line = components.score_line(
        card,
        NETWORKS["attention"][0],
        f"{details['bleu']:.1f}",
        f"{baseline['bleu']:.1f}",
        details["parameters"],
        measure="BLEU (overlap with people’s translations, 0 to 100)",
    )
    written = [each for each in translation.sentences if each.text and not each.copied]
    return Markup().join(
        [
            _confidence(translation, any(warnings_by_sentence)),
            *map(components.note, remarks),
            *(_aligned_with_others(sentence, word_for_word) for sentence in written),
            score_line,
        ]
    )


def _aligned_with_others(sentence, word_for_word):
    """The aligned words, and what else may be meant: other forms, or the dictionary's answer."""
    others = []
    if sentence.forms:
        text = " · ".join(sentence.forms)
        others.append(("Also, said to or by somebody else: ", text))
    if sentence.is_doubtful:
        others.append(("Word for word, by the dictionary: ", word_for_word(sentence.source)))
    lines = [
        Markup('<p class="small other">{}<span lang="fr">{}</span></p>').format(name, text)
        for name, text in others
    ]
    return Markup().join([aligned(sentence), *lines])


def _confidence(translation, has_warnings):
    """The confidence of a translation, with its meaning."""
    value = translation.confidence
    if value is None:
        return components.answer("=", "copied", "", "There is nothing in this to translate.")
    if not translation.text.strip():
        sentence = "The network gave an empty translation."
        return components.answer("?", "no translation", "negative", sentence)
    meaning = (
        f"On average (geometric mean) the network gave each piece it wrote a chance of "
        f"{chance(value)}."
    )
    if any(_has_unlikely_words(sentence) for sentence in translation.sentences):
        meaning += f" Underlined: words below {percent(UNLIKELY_WORD)}."
    doubtful = any(sentence.is_doubtful for sentence in translation.sentences)
    if doubtful or (value < LOW_CONFIDENCE and translation.sentences[0].risk is None):
        return components.answer(chance(value), "low confidence", "negative", meaning)
    if has_warnings:
        meaning += " There are reasons not to trust this translation:"
        return components.answer(chance(value), "confidence, with warnings", "negative", meaning)
    return components.answer(chance(value), "confidence", "", meaning)


def _word_probability(hypothesis, tokens):
    return float(np.prod(hypothesis.probabilities[list(tokens)]))


def _has_unlikely_words(sentence):
    best = sentence.hypotheses[0]
    return not sentence.copied and any(
        _word_probability(best, tokens) < UNLIKELY_WORD
        for *_, tokens in words(best.pieces, best.text)
    )


def aligned(sentence):
    """A sentence above its translation; the words of one highlight those of the other.

    `align.js` reads the attention weights and probabilities from the `data-` attributes.
    """
    best = sentence.hypotheses[0]
    english, french = words(sentence.pieces, sentence.source), words(best.pieces, best.text)
    weights = word_weights(best.attention, french, english)
    english_word = Markup('<span class="e">{}</span>')
    french_word = Markup(
        '<span class="f{}" role="button" tabindex="{}" data-w="{}" data-p="{}">{}</span>'
    )
    french_spans = []
    for number, (start, end, tokens) in enumerate(french):
        probability = _word_probability(best, tokens)
        french_spans.append(
            french_word.format(
                " unsure" if probability < UNLIKELY_WORD else "",
                -1 if number else 0,
                " ".join(str(round(100 * float(weight))) for weight in weights[number]),
                chance(probability),
                best.text[start:end],
            )
        )
    return Markup(
        '<div class="aligned"><p class="english" lang="en">{}</p><p lang="fr">{}</p>'
        '<p class="looks" aria-live="polite">Point at a word, or step through the French with Tab '
        "and the arrow keys.</p></div>"
    ).format(
        _replace_words(
            sentence.source,
            english,
            [english_word.format(sentence.source[start:end]) for start, end, _ in english],
        ),
        _replace_words(best.text, french, french_spans),
    )


def _replace_words(text, words, spans):
    """A text in which HTML stands in place of each of its words."""
    parts, position = [], 0
    for (start, end, _), span in zip(words, spans, strict=True):
        parts += [text[position:start], span]
        position = end
    return Markup().join([*parts, text[position:]])


def words(pieces, text):
    """The words that tokens make up, and where they stand in the text.

    Args:
        pieces: Tokens, with `▁` where a space precedes and the end token last.
        text: The text that they were decoded to.

    Returns:
        List of (start, end, numbers of the tokens). Tokens that are not in the text are left out.
    """
    groups, previous_kind = [], ""
    for number, piece in enumerate(pieces):
        bare = piece.removeprefix("▁")
        if piece == "[END]" or not bare:
            previous_kind = ""
            continue
        kind = _kind(piece, bare)
        continues = (
            groups
            and kind == previous_kind
            and kind != "unknown"
            and not piece.startswith("▁")
            and not groups[-1][0].endswith("'")
        )
        if continues:
            groups[-1][0] += bare
            groups[-1][1].append(number)
        else:
            groups.append([bare, [number]])
        previous_kind = kind
    located, position = [], 0
    lowered = text.lower() if len(text.lower()) == len(text) else text
    for bare, numbers in groups:
        # Capitals may have been restored or taken away.
        start = lowered.find(bare.lower(), position)
        if start >= 0:
            position = start + len(bare)
            located.append((start, position, tuple(numbers)))
    return located


def _kind(piece, bare):
    if piece == "[UNK]":
        return "unknown"
    return "word" if bare[0].isalpha() else "number" if bare[0].isdigit() else "mark"


def word_weights(attention, rows, columns):
    """Attention between words `(rows, columns)`: the mean of a row's tokens, a column's sum."""
    weights = np.zeros((len(rows), len(columns)))
    for r, (_, _, written) in enumerate(rows):
        for c, (_, _, read) in enumerate(columns):
            weights[r, c] = attention[np.ix_(written, read)].mean(axis=0).sum()
    return weights


def heat_map(sentence):
    """The attention weights between tokens."""
    if sentence.copied:
        return components.note("This was copied without the network.")
    return charts.alignment(
        sentence,
        "Each row shows where a French token came from. A straight diagonal is a word-for-word "
        "translation; where it bends or crosses, French orders the words differently. “end” is the "
        "token that ends a sentence.",
    )


def beam(sentence, pieces_of, best_by_length_penalty, alpha):
    """The tree of the search and the translations that it found.

    Args:
        sentence: A `Sentence`.
        pieces_of: Function from token numbers to their pieces.
        best_by_length_penalty: From the function of this name in the predictor.
        alpha: The length penalty in force.
    """
    if sentence.copied:
        return components.note("This was copied without a search.")
    tree = charts.beam_tree(
        sentence,
        pieces_of,
        "From left to right, one token per step; from top to bottom, the likeliest first. Under "
        "each node stands the log-probability of all tokens up to it. At every step, as many "
        "hypotheses are kept as the beam is wide, and the rest are pruned. A hypothesis that "
        "leads may fall behind later.",
    )
    hypotheses = [
        _hypothesis(
            each.text,
            f"{len(each.pieces)} tokens · log-probability {signed(each.log_probability)} · "
            f"score {signed(each.score)}",
            first=not number,
        )
        for number, each in enumerate(sentence.hypotheses)
    ]
    return Markup('{}<div class="beneath">{}</div><div class="hypotheses one">{}</div>{}').format(
        tree,
        components.heading("The translations found"),
        Markup().join(hypotheses),
        _penalty_ranges(best_by_length_penalty, alpha),
    )


def _hypothesis(french, figures, name="", first=False):
    """A translation with its figures."""
    title = Markup("<b>{}</b>").format(name) if name else ""
    return Markup('<div{}>{}<span lang="fr">{}</span><small>{}</small></div>').format(
        Markup(" class=first") if first else "", title, french or EMPTY_TEXT, figures
    )


def _penalty_ranges(best_by_length_penalty, alpha):
    """Which translation wins at which length penalty, in a sentence."""
    text = f"Score: log-probability ÷ ((5 + tokens) ÷ 6) to the power {alpha:g}. "
    if len(best_by_length_penalty) == 1:
        text += "The same translation wins at every length penalty from 0 to 2."
    else:
        ranges = "; ".join(
            f"{low:.2g} to {high:.2g}, number {number + 1}"
            for low, high, number in best_by_length_penalty
        )
        text += (
            f"The best by length penalty: {ranges}. A higher penalty favours longer translations."
        )
    return Markup('<p class="small beneath">{}</p>').format(text)


def comparison(sentences, word_for_word, card):
    """One sentence translated by the networks of the study and by the dictionary.

    Args:
        sentences: Dict from the network's name to its `Sentence`.
        word_for_word: The dictionary's translation.
        card: The bundle's card.
    """
    items = []
    for name, sentence in sentences.items():
        details = card["variants"][name]
        confidence = "" if sentence.copied else f"confidence {chance(sentence.confidence)} · "
        size = f"{details['parameters'] / 1e6:.1f} million parameters"
        figures = f"{confidence}BLEU {details['bleu']:.1f} · {size}"
        items.append(
            _hypothesis(sentence.text, figures, NETWORKS[name][0], first=name == "attention")
        )
    baseline = card["baseline"]
    name = baseline["name"][:1].upper() + baseline["name"][1:]
    items.append(_hypothesis(word_for_word, f"BLEU {baseline['bleu']:.1f}", name))
    return Markup(
        '<div class="hypotheses">{}</div><p class="small">BLEU on the {}. The networks differ in '
        "size: compare those of the same size.</p>"
    ).format(Markup().join(items), card["test_set"])


def study(card):
    """BLEU by length of the networks in the card, or a sentence if it was not measured."""
    measured = {**card["variants"], **card.get("study", {})}
    series = [
        (name, measured[key]["by_length"], shade, dashed)
        for key, (name, shade, dashed) in NETWORKS.items()
        if measured.get(key, {}).get("by_length")
    ]
    if not series:
        return components.note("This bundle does not say how its networks score by length.")
    return charts.bleu_by_length(
        series,
        f"{_gain_of_attention(card)}Without attention, everything about a sentence has to fit into "
        "one state. Reading the source backwards (Sutskever et al. 2014) brings its beginning "
        "nearer to the first words to write. Short and long sentences are of different kinds, so "
        "compare the lines, not the heights along one line.",
    )


def _gain_of_attention(card):
    """What attention gains in the shortest and the longest sentences, in a sentence."""
    with_attention, without = (
        {each["words"]: each["bleu"] for each in card["variants"].get(key, {}).get("by_length", ())}
        for key in ("small", "plain")
    )
    groups = [group for group in with_attention if group in without]
    if len(groups) < 2:
        return ""
    short, long = (
        f"{signed(with_attention[group] - without[group], 1)}" for group in (groups[0], groups[-1])
    )
    return (
        f"With attention instead of none: {short} BLEU in sentences of {groups[0]} words, {long} "
        f"in those of {groups[-1]}. "
    )


def training_overlap(sentence, overlap, nearest, card):
    """How much of a sentence occurs in the training data, and the most similar sentence there.

    Args:
        sentence: A `Sentence`.
        overlap: Its `Overlap`.
        nearest: (training sentence, similarity), or None if the corpora are not on this machine.
        card: The bundle's card.
    """
    if not overlap.spans:
        return components.note("There are no words in this.")
    details = card["memory"]
    rate = details["false_positives"]
    frequency = f"once in {round(1 / rate):,} times" if rate else "practically never"
    nearest_line = ""
    if nearest:
        nearest_line = Markup(
            "<p>The most similar training sentence ({} of words and their order): "
            '<q lang="en">{}</q></p>'
        ).format(percent(nearest[1]), nearest[0])
    explanation = Markup(
        '<p class="small">Shaded: the longest stretch in which every run of four words occurs in '
        "the training data. Underlined: words that occur in none of its {:,} sentences. No "
        "training sentence is shipped, only hashes of words, of runs of four words and of whole "
        "sentences in a Bloom filter, which takes something new for something old {}.</p>"
    ).format(details["sentences"], frequency)
    verdict = components.answer(*_overlap_verdict(overlap))
    return verdict + _marked_overlap(sentence.source, overlap) + nearest_line + explanation


def _marked_overlap(source, overlap):
    """A sentence with its longest stretch shaded and its new words underlined."""
    first, end_of_stretch = overlap.longest or (None, None)
    new_word = Markup('<span class="new">{}</span>')
    parts, position = [], 0
    for number, ((start, end), occurs) in enumerate(zip(overlap.spans, overlap.words, strict=True)):
        parts += [
            source[position:start],
            Markup('<span class="in-training">') if number == first else "",
            source[start:end] if occurs else new_word.format(source[start:end]),
            Markup("</span>") if number + 1 == end_of_stretch else "",
        ]
        position = end
    text = Markup().join([*parts, source[position:]])
    return Markup('<p class="overlap" lang="en">{}</p>').format(text)


def _overlap_verdict(overlap):
    """Number, word, tone and sentence of the answer."""
    if overlap.sentence:
        return (
            "100\u202f%",
            "in the training data",
            "",
            "This very sentence is in the training data: its translation may be memorised.",
        )
    if overlap.share is None:
        return "New", "composed", "", "This sentence is not in the training data."
    if overlap.longest:
        stretch = overlap.longest[1] - overlap.longest[0]
        longest = (
            f"The longest stretch in the training data has {stretch} of its {len(overlap.spans)} "
            "words."
        )
    else:
        longest = "No run of four of its words is in the training data."
    return (
        percent(overlap.share),
        "of its runs of four words are in the training data",
        "",
        f"The whole sentence is not, so its translation is composed. {longest}",
    )


def summary(results):
    """The outcome of a file; `results` are (French, confidence, note), one for each row."""
    translated = [result for result in results if result[1] != ""]
    refused = [result for result in results if result[1] == "" and result[2]]
    copied = sum(
        result[1] == "" and not result[2] and bool(result[0].strip()) for result in results
    )
    sentence = f"{len(translated):,} of {len(results):,} rows translated."
    if copied:
        sentence += f" {copied:,} had no words and were copied."
    if refused:
        sentence += f" {len(refused):,} were left as they are; the first because: {refused[0][2]}"
    if with_warning := sum(bool(result[2]) for result in translated):
        sentence += f" {with_warning:,} carry a warning."
    rows = [
        [french[:BATCH_PREVIEW_CHARACTERS], confidence and chance(confidence), note]
        for french, confidence, note in results[:BATCH_PREVIEW_ROWS]
    ]
    table = components.table(["First rows", "Confidence", "Note"], rows, numbers=(1,))
    return components.note(sentence) + table


def scores(card):
    """The table of the networks beside the baseline, for the About page."""
    measured = {**card["variants"], **card.get("study", {})}
    rows = [(name, measured[key]) for key, (name, *_) in NETWORKS.items() if key in measured]
    rows.append((card["baseline"]["name"], card["baseline"]))
    measures = [
        (title, key)
        for title, key in (
            ("BLEU", "bleu"),
            ("Multi30k", "bleu_multi30k"),
            ("Tatoeba", "bleu_tatoeba"),
            ("chrF", "chrf"),
        )
        if any(key in details for _, details in rows)
    ]
    table = components.table(
        ("Model", *(title for title, _ in measures), "Parameters", "Training, minutes"),
        [
            (
                name,
                *(f"{details[key]:.1f}" if key in details else "" for _, key in measures),
                f"{details.get('parameters', details.get('words', 0)):,}",
                f"{details['minutes'] + details.get('minutes_before', 0):.1f}"
                if "minutes" in details
                else "",
            )
            for name, details in rows
        ],
        numbers=tuple(range(1, len(measures) + 3)),
        winner=max(range(len(rows)), key=lambda n: rows[n][1]["bleu"]),
    )
    return Markup(
        "<h3>{}</h3><p>Scored on the {}, {:,} sentences; BLEU and chrF by sacrebleu ({}).</p>{}"
    ).format(card["title"], card["test_set"], card["examples"], card["signature"], table)


def preview():
    """A picture of an answer for the home page: which English words each French word came from."""
    from apps.translation.predictor import Predictor  # on first use: it brings in TensorFlow

    (sentence,) = Predictor.load().translate_sentences([PREVIEW_SENTENCE])
    best = sentence.hypotheses[0]
    columns = _words_only(words(sentence.pieces, sentence.source), sentence.source)
    rows = _words_only(words(best.pieces, best.text), best.text)
    weights = word_weights(best.attention, rows, columns)
    left, cell_width, cell_height = 72, 190 / len(columns), 17
    text = Markup(
        '<text x="{:.0f}" y="{:.0f}" text-anchor="end" transform="{}" '
        'style="font:13px var(--serif);fill:var(--ink)">{}</text>'
    )
    square = Markup(
        '<rect x="{:.1f}" y="{}" width="{:.1f}" height="{}" '
        'style="fill:var(--positive);fill-opacity:{:.2f}"/>'
    )
    parts = [
        square.format(
            left + c * cell_width, r * cell_height, cell_width - 1, cell_height - 1, weights[r, c]
        )
        for r in range(len(rows))
        for c in range(len(columns))
        if weights[r, c] >= PREVIEW_MIN_WEIGHT
    ]
    for r, (start, end, _) in enumerate(rows):
        parts.append(text.format(left - 8, r * cell_height + 13, "", best.text[start:end]))
    for c, (start, end, _) in enumerate(columns):
        x, y = left + (c + 0.7) * cell_width, len(rows) * cell_height + 11
        turn = f"rotate(-40 {x:.0f} {y:.0f})"
        parts.append(text.format(x, y, turn, sentence.source[start:end]))
    height = len(rows) * cell_height + 40
    return Markup('<svg viewBox="0 0 266 {}" style="display:block;width:100%">{}</svg>').format(
        height, Markup().join(parts)
    )


def _words_only(located, text):
    """The words of `words` without punctuation marks."""
    return [each for each in located if text[each[0]].isalnum()]
