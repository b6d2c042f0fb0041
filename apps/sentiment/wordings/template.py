"""Templates of texts: `I {don't|} like the {food|film}` stands for four texts."""

import itertools
import math

from shared.errors import UserError

MAX_TEXTS = 64  # that a template may make


def parse(template):
    """The parts of a template, each a tuple of options; plain text is a part with one option.

    Options stand in braces, separated by |. A single option, as in `{not}`, may be left out.

    Raises:
        UserError: if braces do not match, or the template makes more than `MAX_TEXTS` texts.
    """
    plain, *groups = template.split("{")
    if "}" in plain:
        raise UserError("There is a } without a { before it.")
    parts = [(plain,)]
    for group in groups:
        options, closing, plain = group.partition("}")
        if not closing:
            raise UserError(
                "There is a { without a } after it. Braces cannot stand within braces, either."
            )
        if "}" in plain:
            raise UserError("There is a } without a { before it.")
        if not options.strip("| "):
            raise UserError("There are no words between a { and its }.")
        options = tuple(options.split("|"))
        parts += [options if len(options) > 1 else (*options, ""), (plain,)]
    if math.prod(map(len, parts)) > MAX_TEXTS:
        raise UserError(
            f"This template makes more than {MAX_TEXTS} texts, and at most {MAX_TEXTS} are read at "
            "once. Leave some options out."
        )
    return parts


def expand(parts):
    """All texts of the parts of a template, in its order.

    Returns:
        List of texts, each a list of pieces: (words, whether they are one of several options).
    """
    varied = [len(options) > 1 for options in parts]
    return [
        [(words, varies) for words, varies in zip(choice, varied, strict=True) if words]
        for choice in itertools.product(*parts)
    ]


def join(pieces):
    """The text of pieces, with single spaces."""
    return " ".join("".join(words for words, _ in pieces).split())
