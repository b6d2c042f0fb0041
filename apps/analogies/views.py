"""What the page shows of an answer: words, tables and figures as HTML."""

import json
from functools import cache
from html import escape

import numpy as np

from apps.analogies import scores
from apps.analogies.examples import AXES, BIASES
from apps.analogies.predictor import Predictor
from apps.analogies.vectors import FOLDER, Vectors
from shared import bundle, page, plots, quantize, tables
from shared.errors import UserError
from shared.plots import percent, signed
from shared.text import plain_words

SIZES_FILE, MAP_FILE = FOLDER / "sizes.safetensors", FOLDER / "map.safetensors"
MEASURES = {"3CosAdd": "cosine", "3CosMul": "score"}  # what each method ranks by
PER_PAGE = 15  # wrong questions shown at once
MAP_MOST = 5_000
VIEWS = {
    "tsne2": "t-SNE, flat",
    "tsne3": "t-SNE, deep",
    "pca2": "PCA, flat",
    "pca3": "PCA, deep",
    "axes": "Your own axes",
}
SECTIONS = {
    "capital-common-countries": "Capitals of well-known countries",
    "capital-world": "Capitals of the world",
    "currency": "Currencies",
    "city-in-state": "Cities in their states",
    "family": "Family",
    "gram1-adjective-to-adverb": "Adjective to adverb",
    "gram2-opposite": "Opposites",
    "gram3-comparative": "Comparatives",
    "gram4-superlative": "Superlatives",
    "gram5-present-participle": "Participles",
    "gram6-nationality-adjective": "Nationalities",
    "gram7-past-tense": "Past tense",
    "gram8-plural": "Plurals of nouns",
    "gram9-plural-verbs": "Third persons",
}


def _style():
    rules = [
        ".trio{display:grid;grid-template-columns:repeat(3,1fr);gap:8px 32px}",
        ".trio h3{margin-top:12px}",
        "#tab-analogies table.ranks{max-width:360px}",
        "#tab-analogies .ranks :is(td,th):first-child{min-width:0;width:2.2em}",
        "#tab-analogies .form{gap:12px}",
        "#tab-analogies .scroll + p,.trio + p{margin-top:12px}",
        "#tab-analogies progress{display:block;appearance:none;width:100%;min-width:90px;"
        "height:8px;border:0;background:var(--rule)}",
        "#tab-analogies progress::-webkit-progress-bar{background:var(--rule)}",
        "#tab-analogies progress::-webkit-progress-value{background:var(--positive)}",
        "#tab-analogies progress::-moz-progress-bar{background:var(--positive)}",
        "#tab-analogies .answer + .message{margin-top:12px}",
        ".plane{display:block;width:100%;height:300px;overflow:visible}",
        ".plane text{font:600 15px var(--sans);fill:var(--ink)}",
        ".plane .light{font-weight:400;fill:var(--ink-2)}",
        ".plane .arrow{stroke:var(--positive);stroke-width:2}",
        ".fig .plane .head{fill:var(--positive);stroke:none}",
        ".plane .side{stroke:var(--ink-2);stroke-width:1;stroke-dasharray:3 4}",
        ".plane .dot{fill:var(--ink)}.plane .aim{fill:none;stroke:var(--negative);stroke-width:2}",
        ".steps{font:600 20px/1.9 var(--serif);margin:12px 0}",
        ".steps small{font:400 13px var(--sans);color:var(--ink-2);margin:0 4px}",
        ".steps span{white-space:nowrap}",
        ".map-canvas{display:block;width:100%;height:min(600px,78vh);cursor:grab;"
        "touch-action:pan-y}",
        ".map-canvas:focus-visible{outline:2px solid var(--ink);outline-offset:2px}",
        ".map-bar{display:flex;gap:6px;align-items:center;min-height:36px;font:14px var(--sans);"
        "color:var(--ink-2)}.map-bar .map-said{flex:1}",
        ".map-bar button{font:16px var(--sans);min-width:36px;padding:0 10px;height:34px;"
        "color:var(--ink);"
        "background:none;border:1px solid var(--rule);border-radius:6px;cursor:pointer}",
        ".map-bar button:hover{background:var(--hover)}",
        "#tab-analogies .words-row{align-items:flex-end}",
        "#tab-analogies .answer{grid-template-columns:1fr;row-gap:6px}",
        "@media (max-width:560px){.trio{grid-template-columns:1fr 1fr;gap:8px 16px}"
        ".plane{height:240px}#tab-analogies .sections :is(td,th):nth-child(2){display:none}}",
    ]
    return f"<style>{''.join(rules)}</style>"


STYLE = _style()
MAP_TEMPLATE = (
    '<div class="map-bar"><span class="map-said" aria-live="polite"></span>'
    '<button type="button" data-zoom="1.6" aria-label="zoom in">+</button>'
    '<button type="button" data-zoom="0.625" aria-label="zoom out">−</button>'
    '<button type="button" data-zoom="0">Whole map</button></div>'
    '<canvas class="map-canvas" tabindex="0" role="img" aria-label="map of words: arrow keys '
    'move it, plus and minus zoom"></canvas><div class="map-data" hidden>'
    "${value}</div>"
)


def number(count):
    """A count as people say it: 17,000,000 as 17 million."""
    if count >= 1e6:
        return f"{count / 1e6:.0f} million"
    return f"{count:,}"


def analogy(found, other, card):
    """The answer, with and without the trick, and the figure of the parallelogram.

    Args:
        found, other: The `Analogy` by the method asked for, and by the other one.
        card: The bundle's card, or None.
    """
    a, b, c = found.words
    best = found.best[0]
    measure = MEASURES[found.method]
    answer = page.answer(
        best.word,
        f"{measure} {best.score:.2f}",
        "",
        f"{a.capitalize()} is to {b} as {c} is to {best.word}.",
    )
    return "".join(
        [
            answer,
            *map(page.note, found.notes),
            '<div class="trio">',
            *(
                f"<div><h3>{title}</h3>{_ranking(near, MEASURES[method], marked)}</div>"
                for title, near, method, marked in (
                    ("The three words left out", found.best, found.method, ()),
                    (f"The same by {other.method}", other.best, other.method, ()),
                    ("All words allowed", found.honest, found.method, found.words),
                )
            ),
            f"</div><p>{escape(_trick(found))}</p>",
            plots.figure(parallelogram(found), _plane(found)),
            card_line(card),
        ]
    )


def card_line(card):
    """The line on how good the vectors are, beside the counting baseline."""
    if not card:
        return page.note(
            "These are your own vectors, from the file that this site was started with."
        )
    baseline, (name, details) = card["baseline"], next(iter(card["variants"].items()))
    verdict = (
        "The baseline is the better of the two."
        if baseline["accuracy"] > card["accuracy"]
        else "The baseline counts which words stand near each other. A guess is right once in "
        f"{card['vocabulary']:,}."
    )
    return page.card_line(
        card,
        name,
        percent(card["accuracy"], 1),
        percent(baseline["accuracy"], 1),
        details["parameters"],
        remark=verdict,
    )


def _ranking(near, measure="cosine", marked=()):
    rows = [(n, one.word, f"{one.score:.3f}") for n, one in enumerate(near, 1)]
    bold = next((n for n, one in enumerate(near) if one.word not in marked), None)
    table = page.table(("", "Word", measure.capitalize()), rows, numbers=(2,), winner=bold)
    return _narrow(table)


def _narrow(table):
    return table.replace("<table>", '<table class="ranks">')


def _trick(found):
    a, b, c = found.words
    best, honest = found.best[0].word, found.honest[0].word
    if not found.trick:
        return (
            f"“{best}” wins even when {a}, {b} and {c} may be the answer. That is rare: here the "
            "vectors themselves hold the relation."
        )
    place = next((n for n, one in enumerate(found.honest, 1) if one.word == best), None)
    where = f"“{best}” is number {place}" if place else f"“{best}” is not among the first ten"
    return (
        f"If the words of the question were allowed, the answer would be “{honest}” itself; "
        f"{where}. Most demonstrations leave those three words out and do not say so. The step "
        f"from {a} to {b} is short compared with the distances between words, so the sum lands "
        "near where it set out."
    )


def parallelogram(found):
    """The four words and the place where b − a + c points, in the plane that fits the four."""
    low, high = found.points.min(axis=0), found.points.max(axis=0)
    places = (found.points - low) / np.maximum(high - low, 1e-9)
    spots = [(12 + 70 * x, 88 - 76 * y) for x, y in places]
    a, b, c, answer, aim = spots

    def line(kind, start, end, marker=""):
        (x1, y1), (x2, y2) = start, end
        return f'<line class="{kind}" x1="{x1}%" y1="{y1}%" x2="{x2}%" y2="{y2}%"{marker}/>'

    head = ' marker-end="url(#arrow-head)"'
    words = [*found.words, found.best[0].word]
    shapes = [
        '<defs><marker id="arrow-head" viewBox="0 0 10 10" refX="13" refY="5" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path class="head" '
        'd="M0 0L10 5L0 10z"/></marker></defs>',
        line("side", a, c),
        line("side", b, aim),
        line("arrow", a, b, head),
        line("arrow", c, aim, head),
        f'<circle class="aim" cx="{aim[0]}%" cy="{aim[1]}%" r="7"/>',
    ]
    middle = np.mean([y for _, y in spots[:4]])
    for (x, y), word in zip(spots[:4], words, strict=True):
        shapes.append(f'<circle class="dot" cx="{x}%" cy="{y}%" r="4.5"/>')
        drop = "-0.9em" if y < middle else "1.7em"
        shapes.append(
            f'<text x="{x}%" y="{y}%" dy="{drop}" text-anchor="middle">{escape(word)}</text>'
        )
    drop = "2.2em" if aim[1] < answer[1] - 4 else "-1.4em"
    said = f"{words[1]} − {words[0]} + {words[2]}"
    shapes.append(
        f'<text class="light" x="{aim[0]}%" y="{aim[1]}%" dy="{drop}" text-anchor="middle">'
        f"{escape(said)}</text>"
    )
    label = f"{words[0]}, {words[1]}, {words[2]} and {words[3]} in a plane"
    return f'<svg class="plane" role="img" aria-label="{escape(label)}">{"".join(shapes)}</svg>'


def _plane(found):
    a, b, c = found.words
    return (
        f"The plane that fits the four words best; it shows {percent(found.fit)} of their spread. "
        f"The arrow from {a} to {b} is laid at {c}, and ends in the circle: the nearer "
        f"“{found.best[0].word}” lies to the circle, the better the parallelogram closes. "
        f"3CosAdd takes the word nearest to {b} − {a} + {c} in all dimensions; 3CosMul multiplies "
        "and divides the similarities to the three words instead of adding them."
    )


@cache
def sizes():
    """Vectors from less text: a tuple of (words of text, `Predictor`), and all of it last."""
    full = Predictor.load()
    found = []
    if SIZES_FILE.exists():
        arrays = bundle.load_arrays(SIZES_FILE)
        for row in full.card["sizes"]:
            size = row["words"]
            packed = {key: arrays[f"{size}.{key}"] for key in ("codes", "levels")}
            words = [full.vectors.words[n] for n in arrays[f"{size}.words"]]
            found.append((size, Predictor(Vectors.of(words, quantize.dequantize_int4(packed)))))
    return (*found, (full.card["corpus_words"], full))


def by_size(words, method, chosen):
    """The same question put to vectors from less text.

    Args:
        words: The tuple `(a, b, c)`.
        method: Of the analogy.
        chosen: Place of the size to show in full.
    """
    rows, shown = [], ""
    full = sizes()[-1][1].analogy(*words, method).best[0].word
    for place, (size, predictor) in enumerate(sizes()):
        try:
            found = predictor.analogy(*words, method)
        except UserError:
            missing = [word for word in words if word not in predictor.vectors]
            rows.append((number(size), f"has not met {', '.join(missing)} often enough", "–"))
            continue
        best = ", ".join(one.word for one in found.best[:5])
        names = [one.word for one in found.best]
        rank = str(names.index(full) + 1) if full in names else "over 10"
        rows.append((number(size), best, rank))
        if place == chosen:
            shown = _ranking(found.best, MEASURES[method])
    table = page.table(
        ("Words of text", "The five best", f"Rank of “{full}”"), rows, (2,), winner=chosen
    )
    size = number(sizes()[chosen][0])
    detail = shown or page.note(rows[chosen][1].capitalize() + ".")
    return f"{table}<h3>The ten best after {size} words</h3>{detail}"


def size_scores(card):
    """How accuracy grows with the text, and with other settings: tables of the card."""
    rows = [*card["sizes"], {**card, "words": card["corpus_words"]}]
    table = page.table(
        (
            "Words of text",
            "Dimensions",
            "Epochs",
            "Questions right",
            "Of all covered",
            "WordSim-353",
        ),
        [
            (
                number(row["words"]),
                row["dimensions"],
                row["epochs"],
                percent(row["accuracy_30k"], 1),
                percent(row["covered_30k"]),
                f"{row['spearman']:.2f}",
            )
            for row in rows
        ],
        numbers=(1, 2, 3, 4, 5),
        winner=len(rows) - 1,
    )
    html = table + (
        '<p class="small">Google’s questions among the 30,000 most frequent words of each text, '
        "answered by 3CosAdd; Spearman’s correlation with people’s judgements of similarity. "
        "The smaller vectors have fewer dimensions, and less text was read more often.</p>"
    )
    if card["study"]:
        html += page.table(
            ("Model", "Phrases", "Window", "Dimensions", "Negatives", "Rate", "Epochs", "Right"),
            [
                (
                    row["model"],
                    "joined" if row["phrases"] else "–",
                    row["window"],
                    row["dimensions"],
                    row["negative"],
                    row["rate"],
                    row["epochs"],
                    percent(row["validation"], 1),
                )
                for row in card["study"]
            ],
            numbers=(2, 3, 4, 5, 6, 7),
            winner=int(np.argmax([row["validation"] for row in card["study"]])),
        ) + (
            f'<p class="small">Other settings, on {number(card["study"][0]["words"])} words of the '
            "text, on questions of our own, none of them Google’s: the architecture was chosen on "
            "these. Rows within two points of each other can hardly be told apart by so few."
            f"{_phrases(card['study'])}</p>"
        )
    return html


def _phrases(study):
    """What joining phrases did, from the row with them and its twin without."""
    measured = ("minutes", "validation", "phrases")
    by_rest = {
        (row["phrases"], *(value for key, value in row.items() if key not in measured)): row
        for row in study
    }
    for (joined, *rest), row in by_rest.items():
        plain = by_rest.get((False, *rest))
        if joined and plain:
            helped = "helped" if row["validation"] > plain["validation"] else "did not help"
            return (
                f" Joining phrases into one word, such as new_york, {helped}: "
                f"{percent(row['validation'], 1)} beside {percent(plain['validation'], 1)}."
            )
    return ""


def calculate(predictor, expression):
    """The words nearest to a sum."""
    words, near, notes = predictor.calculate(expression)
    said = "".join(map(page.note, notes))
    return (
        f'<p class="steps">= {escape(near[0].word)}</p>{said}{_ranking(near)}'
        f'<p class="small">{_left_out(words)}</p>'
    )


def _left_out(words):
    names = ", ".join(dict.fromkeys(words))
    return f"Nearest by cosine in all dimensions, without {escape(names)}."


def neighbours(predictor, word):
    """The nearest words, with cosine and distance."""
    word, near = predictor.neighbours(word)
    rows = [
        (n, one.word, f"{one.score:.3f}", f"{np.sqrt(max(0, 2 - 2 * one.score)):.3f}")
        for n, one in enumerate(near, 1)
    ]
    table = _narrow(page.table(("", "Word", "Cosine", "Distance"), rows, numbers=(2, 3)))
    return (
        f'<h3>Near “{escape(word)}”</h3>{table}<p class="small">Measured in all dimensions, not in '
        "the plane of a map. The distance is Euclidean between vectors of length 1.</p>"
    )


def likeness(predictor, first, second):
    """How alike two texts are, by vectors and by counting."""
    found = predictor.likeness(first, second)
    rows = [
        ("Word vectors", signed(found.cosine), "Words used in similar places are similar."),
        ("TF-IDF", signed(found.tf_idf), "Only identical words count, rare ones more."),
        ("Bag of words", signed(found.bag), "Only identical words count."),
    ]
    if found.rank is not None:
        one, two = found.texts[0][0], found.texts[1][0]
        rows[1:] = [("One-hot", "0", "Every word is equally far from every other.")]
        place = f"<p>“{escape(two)}” is neighbour number {found.rank:,} of “{escape(one)}”.</p>"
    else:
        place = ""
    return (
        f'<p class="steps">cosine {found.cosine:.2f}</p>{place}'
        + "".join(map(page.note, found.notes))
        + page.table(("How words are represented", "Cosine", "What it sees"), rows, numbers=(1,))
    )


def odd_one_out(predictor, words):
    """The word that fits the others least."""
    near = predictor.odd_one_out(words)
    rows = [(one.word, f"{one.score:.3f}") for one in near]
    return f'<p class="steps">{escape(near[0].word)}</p>' + page.table(
        ("Word", "Cosine with the mean of all"), rows, numbers=(1,), winner=0
    )


def path(predictor, start, end):
    """The chain of words from one to another."""
    near = predictor.path(start, end)
    steps = f"<span>{escape(near[0].word)}</span>" + "".join(
        f" <span><small>→ {one.score:.2f} →</small> {escape(one.word)}</span>" for one in near[1:]
    )
    return (
        f'<p class="steps">{steps}</p><p class="small">Each word is among the nearest neighbours '
        "of one beside it; between two words stands their cosine. Watch the meaning shift.</p>"
    )


@cache
def _mapped():
    """The stored map: words, `flat`, `deep`, clusters and the clusters' names."""
    predictor = Predictor.load()
    arrays = bundle.load_arrays(MAP_FILE)
    clusters = arrays["cluster"]
    rows = predictor.vectors.first(len(clusters))
    names = []
    for cluster in range(int(clusters.max()) + 1):
        own = np.flatnonzero(clusters == cluster)
        centre = rows.matrix[own].mean(axis=0)
        best = own[np.argsort(-(rows.matrix[own] @ centre))[:3]]
        names.append(", ".join(rows.words[n] for n in best))
    return rows.words, arrays["flat"], arrays["deep"], clusters, names


def map_data(predictor, view, search="", own="", axes=AXES):
    """The map as JSON for `map.js`, and a sentence on what it shows.

    Args:
        predictor: Whose words.
        view: A key of `VIEWS`.
        search: A word to find.
        own: Words to show instead of the frequent ones.
        axes: For the view `axes`, the ends ((left, right), (bottom, top)).

    Raises:
        UserError: if a word is unknown.
    """
    notes = []
    if own.strip():
        found = {}
        for text in own.replace("\n", ",").replace(";", ",").split(",")[:MAP_MOST]:
            if text.strip():
                word, vector, _ = predictor.find(text)
                found[word] = vector
        if len(found) < 4:
            raise UserError("A map of your own needs four different words or more.")
        words, matrix = list(found), np.stack(list(found.values()))
        clusters, names = _clusters(words, matrix)
        flat = deep = None
        if view.startswith("tsne"):
            notes.append("t-SNE is computed in advance, so your own words are shown by PCA.")
    elif predictor.card:
        words, flat, deep, clusters, names = _mapped()
        matrix = predictor.vectors.first(len(words)).matrix
    else:
        words = predictor.vectors.words[:2000]
        matrix = predictor.vectors.matrix[:2000]
        flat = deep = None
        clusters, names = _clusters(words, matrix)
    ends = None
    if view == "axes":
        (left, right), (low, high) = axes
        points = np.stack(
            [predictor.project(matrix, *ends) for ends in ((left, right), (low, high))], axis=1
        )
        ends = [left, right, low, high]
        sentence = (
            f"Left to right: from {left} to {right}. Bottom to top: from {low} to {high}. Each "
            "word lies where its vector falls on the line between the two ends."
        )
    elif view == "tsne2" and flat is not None:
        points = flat
        sentence = "t-SNE keeps neighbours together; how far apart its islands lie means nothing."
    elif view == "tsne3" and deep is not None:
        points = deep
        sentence = "t-SNE in three dimensions. Drag to turn it, with Shift to move it."
    else:
        size = 3 if view.endswith("3") else 2
        points, shown = _principal(matrix, size)
        sentence = (
            f"PCA: the {size} directions in which these words differ most. They hold only "
            f"{percent(shown)} of the differences: words that look near may be far apart."
        )
    points = points - (points.max(axis=0) + points.min(axis=0)) / 2
    points = points / np.maximum(np.abs(points).max(axis=0), 1e-9)
    marked = []
    if search.strip():
        word, vector, _ = predictor.find(search)
        near = [one.word for one in predictor.nearest(vector, 10, {word})]
        place = {word: n for n, word in enumerate(words)}
        marked = [place[name] for name in (word, *near) if name in place]
        if word not in place:
            notes.append(f"“{word}” is not among the {len(words):,} words of this map.")
    data = {
        "view": f"{view} {own}",
        "words": list(words),
        "points": np.round(points, 4).tolist(),
        "clusters": clusters.tolist(),
        "names": names,
        "found": marked,
        "axes": ends,
    }
    # The text stands inside an element of the page.
    return json.dumps(data).replace("<", "\\u003c"), escape(
        " ".join([sentence, "Colours: k-means clusters.", *notes])
    )


def _principal(matrix, size):
    centred = matrix - matrix.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred)
    kept = axes[:, ::-1][:, :size]
    return centred @ kept, float(values[::-1][:size].sum() / max(values.sum(), 1e-12))


def _clusters(words, matrix):
    from sklearn.cluster import KMeans

    count = max(2, min(8, len(words) // 5))
    found = KMeans(count, n_init=4, random_state=0).fit(matrix)
    names = []
    for cluster, centre in enumerate(found.cluster_centers_):
        own = np.flatnonzero(found.labels_ == cluster)
        best = own[np.argsort(-(matrix[own] @ centre))[:3]]
        names.append(", ".join(words[n] for n in best))
    return found.labels_, names


@cache
def questions():
    """Google's questions answered by the shipped vectors: a list of `scores.Section`.

    The answers are those stored at training; `training.analogies evaluate` gives them anew.
    """
    from gensim.test.utils import datapath

    found, name = {}, ""
    with open(datapath("questions-words.txt"), encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(":"):
                name = line[1:].strip()
                found[name] = []
            else:
                found[name].append(tuple(line.lower().split()))
    answers = bundle.load_arrays(FOLDER / "answers.safetensors")["answers"]
    return scores.recall(Predictor.load().vectors, found, answers)


def accuracy(card):
    """Accuracy by section."""
    sections = card["sections"]
    rows = [
        (
            SECTIONS.get(name, name),
            page.Raw(
                f'<progress value="{row["accuracy"] or 0:.3f}" max="1" '
                f'aria-label="{escape(SECTIONS.get(name, name))}"></progress>'
            ),
            percent(row["accuracy"] or 0, 1),
            f"{row['covered']:,} of {row['questions']:,}",
        )
        for name, row in sections.items()
    ]
    skipped = card["skipped"]
    return (
        '<div class="sections">'
        + page.table(("Section", "", "Right", "Questions covered"), rows, numbers=(2, 3))
        + f"</div><p>In all it is right on {percent(card['accuracy'], 1)} of the "
        f"{card['examples']:,} questions whose four words are among the {card['vocabulary']:,} "
        f"known; {skipped:,} were skipped. Among the 30,000 most frequent words, which cover "
        f"{percent(card['covered_30k'])} of the questions, it is right on "
        f"{percent(card['accuracy_30k'], 1)}. {escape(card['baseline']['name'])} on the same text: "
        f"{percent(card['baseline']['accuracy'], 1)}. People’s judgements of similarity "
        f"(WordSim-353): Spearman {card['spearman']:.2f}, {escape(card['baseline']['name'])} "
        f"{card['baseline']['spearman']:.2f}.</p>"
    )


def wrong(name, place):
    """A page of the questions of a section that were answered wrongly, and how many pages."""
    section = next(one for one in questions() if one.name == name)
    misses = np.flatnonzero(~section.right)
    pages = max(1, -(-len(misses) // PER_PAGE))
    place = min(max(int(place), 1), pages)
    words = Predictor.load().vectors.words
    rows = []
    for n in misses[(place - 1) * PER_PAGE : place * PER_PAGE]:
        a, b, c, d = section.questions[n]
        rows.append((f"{a} : {b} = {c}\u00a0:\u00a0?", d, words[section.answers[n]]))
    said = f"{len(misses):,} of {len(section.right):,} questions were answered wrongly."
    if not rows:
        return f"<p>{said}</p>", pages
    table = page.table(("Question", "Right answer", "Its answer"), rows)
    return f"<p>{said} Page {place} of {pages}.</p>{table}", pages


def association(found, names):
    """The result of a test of bias, in plain words, and each word's lean.

    Args:
        found: The `Association`.
        names: Of the two groups and the two attributes.
    """
    first, second, attribute, contrary = names
    size = abs(found.effect)
    strength = (
        "hardly"
        if size < 0.2
        else "a little"
        if size < 0.5
        else "clearly"
        if size < 0.8
        else "strongly"
    )
    toward = attribute if found.effect >= 0 else contrary
    chance = f"{found.p_value:.2g}" if found.p_value >= 1e-4 else "less than 0.0001"
    kind = f"all {found.ways:,} ways" if found.exact else f"{found.ways:,} random ways"
    verdict = (
        "So large a difference hardly comes about by chance."
        if found.p_value < 0.05
        else "Chance alone could do this: nothing is shown."
    )
    missing = (
        page.note(f"Not known here and left out: {', '.join(found.missing)}.")
        if found.missing
        else ""
    )
    bars = plots.bars(
        [(one.word, one.score) for one in sorted((*found.first, *found.second), key=_score)],
        f"Lean of each word towards {attribute} or {contrary}.",
    )
    legend = plots.legend(
        [(f"towards {attribute}", "positive"), (f"towards {contrary}", "negative")]
    )
    return (
        page.answer(
            signed(found.effect),
            f"effect size, p = {chance}",
            "positive" if found.effect >= 0 else "negative",
            f"{first.capitalize()} lean {strength} more towards “{toward}” than "
            f"{second.lower()} do. {verdict}",
        )
        + missing
        + str(
            plots.figure(
                bars,
                f"Each word’s mean cosine with {attribute.lower()} words minus that with "
                f"{contrary.lower()} words. The effect size is the difference of the two groups’ "
                f"means in standard deviations, from −2 to 2; p is the share of {kind} to divide "
                "these words into two groups that differ at least as much.",
                legend,
            )
        )
    )


def _score(near):
    return -near.score


def bias_words(key):
    """Names and word lists of a test: two lists of four strings."""
    bias = BIASES[key]
    four = (bias.first, bias.second, bias.attribute, bias.contrary)
    return [name for name, _ in four], [words for _, words in four]


def learning(progress, counted, architecture):
    """The loss so far and the neighbours of some words, beside what counting says.

    Args:
        progress: The `Progress`.
        counted: Dict from each word watched to its neighbours by counting.
        architecture: Its name on the page.
    """
    losses = progress.losses or [float("nan")]
    chart = plots.line_chart(
        [plots.Line(architecture, losses, "positive")],
        "seconds of learning",
        "loss, nats an example",
        f"Line chart of the loss of {architecture} while it learns.",
        form=lambda value: f"{value:.2f}",
    )
    rows = []
    for word, others in counted.items():
        near = Predictor(progress.vectors).nearest(progress.vectors[word], 5, {word})
        rows.append(
            (
                word,
                ", ".join(f"{one.word} {one.score:.2f}" for one in near),
                ", ".join(name for name, _ in others) or "none",
                "none",
            )
        )
    state = "Done" if progress.done else "Learning"
    return (
        f"<p><b>{state}:</b> {progress.examples:,} examples, the text read "
        f"{progress.epochs:.1f} times, {progress.seconds:.0f} s, "
        f"{len(progress.vectors):,} words.</p>"
        + str(
            plots.figure(
                chart,
                "What it costs the network to tell the true word from random ones. It starts where "
                f"every guess is as good as any other, at {6 * np.log(2):.2f}, and falls as it "
                "learns.",
            )
        )
        + page.table(("Word", f"Nearest by {architecture}", "By TF-IDF", "One-hot"), rows)
        + '<p class="small">TF-IDF knows which words share a paragraph; one-hot vectors know '
        "nothing about any two words. Only learned vectors bring words together that never met.</p>"
    )


def watched(text, asked, count):
    """The words whose neighbours are watched: those asked for, or frequent ones of some length.

    Raises:
        UserError: if a word asked for is not in the vocabulary of the text.
    """
    known = set(text.words[1:])
    if asked and asked.strip():
        words = list(dict.fromkeys(plain_words(asked)))[:count]
        for word in words:
            if word not in known:
                raise UserError(
                    f"“{word}” does not occur in this text often enough: at least {text.least} "
                    "times are needed."
                )
        if words:
            return words
    # The most frequent words are grammar; those after them say what the text is about.
    return [word for word in text.words[1:] if len(word) > 4][:count]


def write_vectors(vectors, path):
    """Write vectors in word2vec's text format."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{len(vectors)} {vectors.matrix.shape[1]}\n")
        for word, row in zip(vectors.words, vectors.matrix, strict=True):
            file.write(f"{word} {' '.join(f'{value:.5f}' for value in row)}\n")


def export(predictor, kind, view, own, axes, download_path):
    """The words of a map as files for other tools.

    Args:
        predictor, view, own, axes: As for `map_data`.
        kind: `"csv"`: one file with word, place and cluster; `"tsv"`: `vectors.tsv` and
            `words.tsv` as the Embedding Projector takes them.
        download_path: Function of a name that gives a path to write to.

    Returns:
        List of paths.
    """
    data = json.loads(map_data(predictor, view, "", own, axes)[0])
    if kind == "csv":
        path = download_path("map.csv")
        names = ["x", "y", "z"][: len(data["points"][0])]
        rows = [
            [word, *point, cluster]
            for word, point, cluster in zip(
                data["words"], data["points"], data["clusters"], strict=True
            )
        ]
        tables.write(path, ["word", *names, "cluster"], rows)
        return [str(path)]
    vectors, words = download_path("vectors.tsv"), download_path("words.tsv")
    rows = [predictor.find(word)[1] for word in data["words"]]
    vectors.write_text("\n".join("\t".join(f"{v:.5f}" for v in row) for row in rows) + "\n")
    words.write_text("\n".join(data["words"]) + "\n", encoding="utf-8")
    return [str(vectors), str(words)]


def about(card):
    """The table of the vectors beside the baseline, for the About page."""
    rows = [
        (f"{name}, {card['dimensions']} dimensions", card, card["minutes"])
        for name in card["variants"]
    ]
    baseline = card["baseline"]
    rows.append((baseline["name"], baseline, baseline["minutes"]))
    table = page.table(
        ("Vectors", "30,000 words", "50,000 words", "WordSim-353", "Training, minutes"),
        [
            (
                name,
                percent(scored["accuracy_30k"], 1),
                percent(scored["accuracy"], 1),
                f"{scored['spearman']:.2f}",
                f"{minutes:.1f}",
            )
            for name, scored, minutes in rows
        ],
        numbers=(1, 2, 3, 4),
        winner=max(range(len(rows)), key=lambda n: rows[n][1]["accuracy"]),
    )
    return (
        f"<h3>{escape(card['title'])}</h3><p>Scored on those of Google’s questions that the "
        f"30,000 or 50,000 most frequent words cover ({percent(card['covered'])} of "
        f"{card['questions']:,}), and by rank correlation with people’s judgements of similarity."
        f"</p>{table}"
    )


def warm_up():
    """Load what the first visitors will need."""
    if Predictor.load().card:
        sizes()
        questions()
        _mapped()
