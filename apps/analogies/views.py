"""What the page shows of an answer: words, tables and figures as HTML."""

import json

import numpy as np
from markupsafe import Markup

from apps.analogies.examples import BIASES, PREVIEW_ANALOGY
from apps.analogies.predictor import Predictor
from apps.analogies.score_views import draw_score_line, format_count
from apps.analogies.stored import load_sizes
from shared import plots
from shared.errors import UserError
from shared.plots import percent, signed
from shared.site import components

RANKS = 5  # rows of a ranking under the answer
MEASURES = {"3CosAdd": "cosine", "3CosMul": "score"}  # what each method ranks by
STRENGTHS = (
    (0.2, "hardly more"),
    (0.5, "a little more"),
    (0.8, "clearly more"),
    (np.inf, "much more"),
)
MAP_TEMPLATE = (
    '<div class="map-bar"><span class="map-status" aria-live="polite"></span>'
    '<button type="button" data-zoom="1.6" aria-label="zoom in">+</button>'
    '<button type="button" data-zoom="0.625" aria-label="zoom out">−</button>'
    '<button type="button" data-zoom="0">Whole map</button></div>'
    '<canvas class="map-canvas" tabindex="0" role="img" aria-label="map of words: arrow keys '
    'move it, plus and minus zoom"></canvas><div class="map-data" hidden>'
    "${value}</div>"
)

RESULT = Markup('<p class="steps">{}</p>')
SMALL = Markup('<p class="small">{}</p>')


def draw_analogy(analogy, by_other_method, card):
    """The answer, the parallelogram, and the rankings with and without the words of the question.

    Args:
        analogy: The `Analogy` by the method chosen.
        by_other_method: The `Analogy` of the same words by the other method.
        card: The bundle's card, or None.
    """
    a, b, c = analogy.words
    best = analogy.best[0]
    measure = MEASURES[analogy.method]
    nearest = "nearest word" if measure == "cosine" else "word with the highest score"
    sentence = Markup(
        "{} is to {} as {} is to … The {} is {}. The vectors repeat the habits of the texts, "
        'prejudice included: see <a href="#bias-measured">Bias, measured</a>.'
    ).format(a.capitalize(), b, c, nearest, best.word)
    rankings = (
        ("Without the three words", analogy.best, analogy.method, ()),
        (f"By {by_other_method.method}", by_other_method.best, by_other_method.method, ()),
        ("All words allowed", analogy.unrestricted, analogy.method, analogy.words),
    )
    column = Markup("<div><h3>{}</h3>{}</div>")
    columns = Markup().join(
        column.format(title, _draw_ranking(words[:RANKS], MEASURES[method], excluded))
        for title, words, method, excluded in rankings
    )
    return Markup().join(
        [
            components.answer(best.word, f"{measure} {best.score:.2f}", "", sentence),
            *map(components.note, analogy.notes),
            plots.figure(draw_parallelogram(analogy), _describe_plane(analogy)),
            Markup('<div class="trio">{}</div><p>{}</p>').format(
                columns, _describe_exclusion(analogy)
            ),
            draw_score_line(card),
        ]
    )


def _draw_ranking(words, measure="cosine", excluded=()):
    """A table of scored words, in bold the first that is not excluded."""
    rows = [(n, scored.word, f"{scored.score:.3f}") for n, scored in enumerate(words, 1)]
    winner = next((n for n, scored in enumerate(words) if scored.word not in excluded), None)
    columns = ("", "Word", measure.capitalize())
    return _narrow(components.table(columns, rows, numbers=(2,), winner=winner))


def _narrow(table):
    return Markup(table.replace("<table>", Markup('<table class="ranks">')))


def _describe_exclusion(analogy):
    """What would change if the words of the question were allowed as the answer."""
    a, b, c = analogy.words
    best, winner = analogy.best[0].word, analogy.unrestricted[0].word
    if best == winner:
        return (
            f"“{best}” ranks first even when {a}, {b} and {c} are allowed as answers. That is "
            "rare: here the vectors themselves hold the relation."
        )
    ranked = [scored.word for scored in analogy.unrestricted]
    rank = f"number {ranked.index(best) + 1}" if best in ranked else "not among the first ten"
    return (
        f"If the words of the question were allowed, the answer would be “{winner}” itself; "
        f"“{best}” is {rank}. Most demonstrations leave the three words out without saying so. "
        f"The step from {a} to {b} is short compared with the distances between words, so the sum "
        "lands near its starting point."
    )


def draw_parallelogram(analogy):
    """The four words and the point b − a + c, in the plane that fits the four words best."""
    low, high = analogy.points.min(axis=0), analogy.points.max(axis=0)
    unit = (analogy.points - low) / np.maximum(high - low, 1e-9)
    points = [(12 + 70 * x, 88 - 76 * y) for x, y in unit]  # in percent
    a, b, c, answer, target = points
    words = [*analogy.words, analogy.best[0].word]
    line = Markup('<line class="{}" x1="{}%" y1="{}%" x2="{}%" y2="{}%"{}/>')
    arrow_head = Markup(' marker-end="url(#arrow-head)"')
    label = Markup('<text{} x="{}%" y="{}%" dy="{}" text-anchor="middle">{}</text>')
    shapes = [
        Markup(
            '<defs><marker id="arrow-head" viewBox="0 0 10 10" refX="13" refY="5" markerWidth="7" '
            'markerHeight="7" orient="auto-start-reverse"><path class="head" '
            'd="M0 0L10 5L0 10z"/></marker></defs>'
        ),
        line.format("side", *a, *c, ""),
        line.format("side", *b, *target, ""),
        line.format("arrow", *a, *b, arrow_head),
        line.format("arrow", *c, *target, arrow_head),
        Markup('<circle class="aim" cx="{}%" cy="{}%" r="7"/>').format(*target),
    ]
    middle = np.mean([y for _, y in points[:4]])
    for (x, y), word in zip(points[:4], words, strict=True):
        shapes.append(Markup('<circle class="dot" cx="{}%" cy="{}%" r="4.5"/>').format(x, y))
        shapes.append(label.format("", x, y, "-0.9em" if y < middle else "1.7em", word))
    offset = "2.2em" if target[1] < answer[1] - 4 else "-1.4em"
    formula = f"{words[1]} − {words[0]} + {words[2]}"
    shapes.append(label.format(Markup(' class="light"'), *target, offset, formula))
    return Markup('<svg class="plane" role="img" aria-label="{}">{}</svg>').format(
        f"{words[0]}, {words[1]}, {words[2]} and {words[3]} in a plane", Markup().join(shapes)
    )


def _describe_plane(analogy):
    a, b, c = analogy.words
    return (
        f"The plane that fits the four words best shows {percent(analogy.fit)} of their variance. "
        f"The arrow from {a} to {b}, moved to {c}, ends in the circle: the nearer "
        f"“{analogy.best[0].word}” lies to the circle, the better the parallelogram closes. "
        f"3CosAdd takes the word nearest to {b} − {a} + {c} in all dimensions; 3CosMul multiplies "
        "and divides the similarities to the three words instead of adding them."
    )


def preview():
    """A picture of an answer for the home page: the parallelogram of an analogy."""
    analogy = Predictor.load().analogy(*PREVIEW_ANALOGY)
    low, high = analogy.points.min(axis=0), analogy.points.max(axis=0)
    unit = (analogy.points - low) / np.maximum(high - low, 1e-9)
    points = [(round(36 + 190 * x), round(122 - 94 * y)) for x, y in unit]
    a, b, c, _, target = points
    line = Markup('<path d="M{} {}L{} {}" style="stroke:var(--{});stroke-width:{}"/>')
    shapes = [
        line.format(*a, *c, "ink-2", "1;stroke-dasharray:3 4"),
        line.format(*b, *target, "ink-2", "1;stroke-dasharray:3 4"),
        line.format(*a, *b, "positive", 2),
        line.format(*c, *target, "positive", 2),
        Markup(
            '<circle cx="{}" cy="{}" r="7" style="fill:none;stroke:var(--negative);'
            'stroke-width:2"/>'
        ).format(*target),
    ]
    dot = Markup(
        '<circle cx="{0}" cy="{1}" r="3.5" style="fill:var(--ink)"/><text x="{0}" y="{2}" '
        'text-anchor="middle" style="font:600 14px var(--sans);fill:var(--ink)">{3}</text>'
    )
    middle = np.mean([y for _, y in points[:4]])
    words = [*analogy.words, analogy.best[0].word]
    for (x, y), word in zip(points, words, strict=False):
        shapes.append(dot.format(x, y, y - 11 if y < middle else y + 20, word))
    return Markup('<svg viewBox="0 0 266 150" style="display:block;width:100%">{}</svg>').format(
        Markup().join(shapes)
    )


def draw_sizes(words, method, selected):
    """The answers of vectors from less text to the same question.

    Args:
        words: The tuple `(a, b, c)`.
        method: Of the analogy.
        selected: Index of the size whose ranking is shown.
    """
    rows, ranking = [], ""
    answer = load_sizes()[-1][1].analogy(*words, method).best[0].word
    for index, (size, predictor) in enumerate(load_sizes()):
        try:
            analogy = predictor.analogy(*words, method)
        except UserError:
            missing = ", ".join(word for word in words if word not in predictor.vectors)
            rows.append((format_count(size), f"too few occurrences of {missing}", "–"))
            continue
        names = [scored.word for scored in analogy.best]
        rank = str(names.index(answer) + 1) if answer in names else "over 10"
        rows.append((format_count(size), ", ".join(names[:RANKS]), rank))
        if index == selected:
            ranking = _draw_ranking(analogy.best[:RANKS], MEASURES[method])
    columns = ("Words of text", "The five best", f"Rank of “{answer}”")
    return Markup("{}<h3>The five best after {} words</h3>{}").format(
        components.table(columns, rows, (2,), winner=selected),
        rows[selected][0],
        ranking or components.note(f"{rows[selected][1].capitalize()}."),
    )


def draw_sum(predictor, expression):
    """The words nearest to a sum."""
    words, nearest, notes = predictor.calculate(expression)
    excluded = ", ".join(dict.fromkeys(words))
    return (
        RESULT.format(f"= {nearest[0].word}")
        + Markup().join(map(components.note, notes))
        + _draw_ranking(nearest)
        + SMALL.format(f"Nearest by cosine in all dimensions, without {excluded}.")
    )


def draw_neighbours(predictor, word):
    """The nearest words, with cosine and distance."""
    word, nearest = predictor.neighbours(word)
    rows = [
        (n, near.word, f"{near.score:.3f}", f"{np.sqrt(max(0, 2 - 2 * near.score)):.3f}")
        for n, near in enumerate(nearest, 1)
    ]
    table = components.table(("", "Word", "Cosine", "Distance"), rows, numbers=(2, 3))
    caption = (
        "Measured in all dimensions, not on a map. The distance is Euclidean, between vectors of "
        "length 1."
    )
    return Markup("<h3>Near “{}”</h3>").format(word) + _narrow(table) + SMALL.format(caption)


def draw_similarity(predictor, first, second):
    """How similar two texts are, by word vectors and by counting."""
    similarity = predictor.similarity(first, second)
    rows = [
        ("Word vectors", signed(similarity.cosine), "Words used in similar places are similar."),
        ("TF-IDF", signed(similarity.tf_idf), "Only identical words count, rare ones more."),
        ("Bag of words", signed(similarity.bag), "Only identical words count."),
    ]
    rank = ""
    if similarity.rank is not None:
        (one,), (two,) = similarity.texts
        rows[1:] = [("One-hot", "0", "Every word is equally far from every other.")]
        rank = Markup("<p>“{}” is neighbour number {:,} of “{}”.</p>").format(
            two, similarity.rank, one
        )
    return (
        RESULT.format(f"cosine {similarity.cosine:.2f}")
        + rank
        + Markup().join(map(components.note, similarity.notes))
        + components.table(("Representation", "Cosine", "What it compares"), rows, numbers=(1,))
    )


def draw_odd_one_out(predictor, words):
    """The word that fits the others least."""
    ranked = predictor.odd_one_out(words)
    rows = [(scored.word, f"{scored.score:.3f}") for scored in ranked]
    columns = ("Word", "Cosine with the mean of all")
    return RESULT.format(ranked[0].word) + components.table(columns, rows, numbers=(1,), winner=0)


def draw_path(predictor, start, end):
    """The chain of words from one to another."""
    first, *others = predictor.path(start, end)
    step = Markup(" <span><small>→ {:.2f} →</small> {}</span>")
    steps = Markup("<span>{}</span>").format(first.word) + Markup().join(
        step.format(near.score, near.word) for near in others
    )
    return RESULT.format(steps) + SMALL.format(
        "Each word is among the nearest neighbours of the one before it or after it; the number "
        "between two words is their cosine. Watch the meaning shift."
    )


def encode_map(word_map, view):
    """A `WordMap` as JSON for `map.js`, which stands inside an element of the page.

    Args:
        word_map: The `WordMap`.
        view: A name for what is shown; the script resets the zoom when it changes.
    """
    data = {
        "view": view,
        "words": word_map.words,
        "points": np.round(word_map.points, 4).tolist(),
        "clusters": word_map.clusters.tolist(),
        "clusterNames": word_map.cluster_names,
        "marked": word_map.marked,
        "axes": word_map.axes,
    }
    return json.dumps(data).replace("<", "\\u003c")


def describe_map(word_map, view):
    """A paragraph on what a `WordMap` shows, and on what it cannot show."""
    dimensions = word_map.points.shape[1]
    if word_map.method == "axes":
        left, right, low, high = word_map.axes
        sentence = (
            f"Left to right: from {left} to {right}. Bottom to top: from {low} to {high}. Each "
            "word stands where its vector falls on the line between the two ends."
        )
    elif word_map.method == "pca":
        sentence = (
            f"PCA: the {dimensions} directions in which these words differ most. They hold only "
            f"{percent(word_map.variance)} of the variance: words that look near may be far apart."
        )
    elif dimensions == 2:
        sentence = "t-SNE keeps neighbours together; distances between its islands mean nothing."
    else:
        sentence = "t-SNE in three dimensions. Drag to turn it; hold Shift to move it."
    sentences = [sentence, "Colours: k-means clusters."]
    if word_map.own and view.startswith("tsne"):
        sentences.append("t-SNE is computed in advance, so your own words are shown by PCA.")
    if word_map.absent:
        count = len(word_map.words)
        sentences.append(f"“{word_map.absent}” is not among the {count:,} words of this map.")
    return SMALL.format(" ".join(sentences))


def draw_association(association, names):
    """The result of an association test in plain words, and the score of each word.

    Args:
        association: The `Association`.
        names: Of the two groups and the two attributes.
    """
    first, second, attribute, contrary = names
    strength = next(word for limit, word in STRENGTHS if abs(association.effect) < limit)
    toward = attribute if association.effect >= 0 else contrary
    p_value = f"{association.p_value:.2g}" if association.p_value >= 1e-4 else "less than 0.0001"
    verdict = (
        "A difference this large is unlikely to arise by chance."
        if association.p_value < 0.05
        else "Chance alone could produce this difference."
    )
    words = sorted((*association.first, *association.second), key=lambda scored: -scored.score)
    bars = plots.bars(
        [(scored.word, scored.score) for scored in words],
        f"Association of each word with {attribute} rather than {contrary}.",
    )
    legend = plots.legend(
        [(f"towards {attribute}", "positive"), (f"towards {contrary}", "negative")]
    )
    ways = f"all {association.ways:,}" if association.exact else f"{association.ways:,} random"
    caption = (
        f"Each word’s mean cosine with {attribute.lower()} words minus that with "
        f"{contrary.lower()} words. The effect size is the difference of the two groups’ means in "
        f"standard deviations, from −2 to 2; p is the share of {ways} ways to divide these words "
        "into two groups whose means differ at least as much."
    )
    answer = components.answer(
        signed(association.effect),
        f"effect size, p = {p_value}",
        "positive" if association.effect >= 0 else "negative",
        f"{first.capitalize()} lean {strength} towards “{toward}” than {second.lower()} do. "
        f"{verdict}",
    )
    missing = ", ".join(association.missing)
    note = components.note(f"Unknown words that were left out: {missing}.") if missing else ""
    return answer + note + plots.figure(bars, caption, legend)


def list_bias_words(key):
    """Names and word lists of an association test: two lists of four strings."""
    bias = BIASES[key]
    four = (bias.first, bias.second, bias.attribute, bias.contrary)
    return [name for name, _ in four], [words for _, words in four]


def draw_learning(progress, by_counting, architecture):
    """The loss so far and the neighbours of some words, beside those by counting.

    Args:
        progress: The `Progress`.
        by_counting: Dict from each watched word to its neighbours by TF-IDF.
        architecture: Its name on the page.
    """
    chart = plots.chart(
        [plots.Line(architecture, progress.losses or [float("nan")], "positive")],
        "seconds of training",
        plots.Axis("loss, nats per example", form="{:.2f}".format),
        f"Line chart of the loss of {architecture} during training.",
    )
    predictor, rows = Predictor(progress.vectors), []
    for word, others in by_counting.items():
        nearest = predictor.nearest(progress.vectors[word], 5, {word})
        learned = ", ".join(f"{near.word} {near.score:.2f}" for near in nearest)
        rows.append((word, learned, ", ".join(name for name, _ in others) or "none", "none"))
    summary = Markup(
        "<p><b>{}:</b> {:,} examples, {:.1f} epochs, {:.0f} s, {:,} different words.</p>"
    ).format(
        "Done" if progress.done else "Learning",
        progress.examples,
        progress.epochs,
        progress.seconds,
        len(progress.vectors),
    )
    figure = plots.figure(
        chart,
        "The loss of telling the true word from random ones. It starts at "
        f"{6 * np.log(2):.2f}, where every guess is as good as any other.",
    )
    columns = ("Word", f"Nearest by {architecture}", "By TF-IDF", "One-hot")
    return (
        summary
        + figure
        + components.table(columns, rows)
        + SMALL.format(
            "TF-IDF finds words that share a paragraph; one-hot vectors make all words equally "
            "different. Only learned vectors bring together words that never occur together."
        )
    )
