"""HTML of the tests that a visitor can read, and of the measured bias."""

from markupsafe import Markup

from apps.sentiment import suite, views
from apps.sentiment.wordings.difference import split_by_difference
from shared.plots import chance, percent
from shared.site import components

BAG_OF_WORDS = "Bag of words"
# What a change to a text asks of the probability.
DEMANDS = {"same": "stay the same", "lower": "become lower", "higher": "become higher"}


def models(card):
    """What the card says of each model, the networks and the bag of words, by title."""
    networks = views.networks(card)
    details = {title: card["variants"][name] for name, title in networks.items()}
    return {**details, BAG_OF_WORDS: card["baseline"]}


def pass_rates(card):
    """The share of tests that every model passes, by kind."""
    rates = {title: details.get("suite", {}) for title, details in models(card).items()}
    rows = [
        [
            kind.capitalize(),
            *(percent(rate[kind]) if kind in rate else "–" for rate in rates.values()),
        ]
        for kind in suite.kinds()
    ]
    return components.table(["Kind", *rates], rows, range(1, len(rates) + 1)) + views.small(
        "A positive or negative text is passed if the model gives its label a higher probability "
        "than the opposite; guessing would pass {}. A neutral text is passed if neutral is the "
        "likeliest answer, and is counted only for a network that knows this answer. Invariance: "
        "the answer stays the same, and the probability moves by less than {} points. Direction: "
        "the probability moves the right way, however little. “–”: not measured.",
        percent(0.5),
        round(100 * suite.INVARIANCE_TOLERANCE),
    )


def cases(chosen, predicted, baseline, network):
    """Texts of one kind with the answers of a network and of the bag of words.

    Args:
        chosen: List of `suite.Case`.
        predicted: The network's probabilities of the classes, `(cases, 3)`.
        baseline: Those of the bag of words.
        network: Which network.
    """
    three = bool(predicted[:, suite.NEUTRAL_CLASS].any())
    verdicts = [
        [
            case.passes(classes) if knows or case.label != "neutral" else None
            for case, classes in zip(chosen, answers, strict=True)
        ]
        for answers, knows in ((predicted, three), (baseline, False))
    ]
    rows = [
        [
            case.text,
            views.WORDS[case.label],
            *(_verdict(passed, _answer(classes)) for passed, classes in answers),
        ]
        for case, *answers in zip(
            chosen,
            zip(verdicts[0], predicted, strict=True),
            zip(verdicts[1], baseline, strict=True),
            strict=True,
        )
    ]
    columns = ["Text", "Right answer", views.NETWORKS[network], BAG_OF_WORDS]
    return _count_failures("texts", network, verdicts) + components.table(columns, rows)


def pairs(chosen, predicted, baseline, network):
    """Pairs of one kind with the answers of a network and of the bag of words.

    Args:
        chosen: List of `suite.Pair`.
        predicted: The network's probabilities of the classes of both texts of each pair: two
            arrays `(pairs, 3)`.
        baseline: Those of the bag of words.
        network: Which network.
    """
    verdicts = [
        [pair.passes(*classes) for pair, *classes in zip(chosen, *answers, strict=True)]
        for answers in (predicted, baseline)
    ]
    rows = []
    for n, pair in enumerate(chosen):
        texts = split_by_difference(pair.text, pair.changed)
        cells = [
            _verdict(passed[n], " → ".join(chance(suite.positive_share(each[n])) for each in both))
            for passed, both in zip(verdicts, (predicted, baseline), strict=True)
        ]
        both_texts = Markup("{}<br>{}").format(*map(views.marked, texts))
        rows.append([both_texts, DEMANDS[pair.change], *cells])
    columns = ["Pair", "Must", views.NETWORKS[network], BAG_OF_WORDS]
    return (
        _count_failures("pairs", network, verdicts)
        + components.table(columns, rows)
        + views.small("The numbers are the probability of positive against negative.")
    )


def _answer(classes):
    """An answer; of a neutral one also to which side it leans, since that is what is scored."""
    leaning = "positive" if classes[2] >= classes[0] else "negative"
    is_neutral = views.label(classes) == "neutral"
    return views.answer_cell(classes) + (f", rather {leaning}" if is_neutral else "")


def _verdict(passed, answer):
    mark = "–" if passed is None else "✓" if passed else "✗"
    return f"{mark} {answer}"


def _count_failures(what, network, verdicts):
    failures, baseline_failures = (sum(passed is False for passed in some) for some in verdicts)
    sentence = (
        f"Of these {len(verdicts[0])} {what} the {views.name_in_sentence(network)} gets "
        f"{failures} wrong, the bag of words {baseline_failures}."
    )
    if unscored := sum(passed is None for passed in verdicts[1]):
        sentence += f" {unscored} of them are neutral, an answer that two classes do not have."
    return components.note(sentence)


def bias(card):
    """What names and nationalities do to the answers; an empty string if it was not measured.

    The card of each model has, under `social_bias`, for `names` and `nationalities` a dict from
    groups to the mean probability of positive against negative.
    """
    measured = {
        title: details["social_bias"]
        for title, details in models(card).items()
        if "social_bias" in details
    }
    if not measured:
        return ""
    rows = [
        [title, *(_spread(each[groups]) for groups in ("names", "nationalities"))]
        for title, each in measured.items()
    ]
    return (
        components.table(["Model", "Names of eight regions", "Twelve nationalities"], rows)
        + views.small(
            "The spread is the highest mean less the lowest, in points of the probability of "
            "positive against negative; a model that ignores whom a sentence is about has 0. "
        )
        + components.note(_widest(measured))
    )


def _spread(means):
    low, high = min(means, key=means.get), max(means, key=means.get)
    return Markup("{:.1f} points<br><small>{} {}, {} {}</small>").format(
        100 * (means[high] - means[low]),
        low,
        percent(means[low], 1),
        high,
        percent(means[high], 1),
    )


def _widest(measured):
    """What the measurement of the first model means, as a sentence."""
    title, groups = next(iter(measured.items()))
    spreads = {kind: max(means.values()) - min(means.values()) for kind, means in groups.items()}
    kind = max(spreads, key=spreads.get)
    low, high = (choose(groups[kind], key=groups[kind].get) for choose in (min, max))
    low, high = (f"names from {each}" if kind == "names" else f"“{each}”" for each in (low, high))
    return (
        f"{title}: the same sentences come out {100 * spreads[kind]:.1f} points more positive with "
        f"{high} than with {low}. Nobody meant this: it is what the model has learned from its "
        "texts. Twenty sentences show that there is such an effect, not how large it is elsewhere."
    )
