"""Every regular expression of the site takes linear time, whatever text it meets.

The patterns are found in the source, so that a new one is tested as well. A pattern that is made
of local names has to be written down in `LOCAL`.
"""

import ast
import importlib
import itertools
import re
import time
from pathlib import Path

import pytest

from shared import limits

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
FUNCTIONS = {"compile", "findall", "finditer", "fullmatch", "match", "search", "split", "sub"}
CHARACTERS = "aA0 .,;:'\"-_+=*/()[]<>&#!?@\t\n\xa0é’…“中"
SCREENED_CHARACTERS = 10_000  # at which the slowest texts of a pattern are found
NOT_OF_VISITORS = {"shared.site.gradio_patches", "shared.settings"}
MARKS = "".join(map(chr, range(0x300, 0x370)))
LOCAL = {  # by how the expression begins
    "'[,;": r"\s+",
    "re.escape(separator)": r",\s",
    "f'([{marks}": f"([{MARKS}]{{30}})[{MARKS}]+",
    'f"(?:\\\\d+|': r"\A(?:\d+|\d{1,3}(?:[,' ]\d{3})+|\d{1,2}(?:,\d\d)+,\d{3})?(?:[.]\d*)?\Z",
}


def find_patterns():
    """`(place, pattern or None, method)` of every regular expression in shared and apps."""
    for path in sorted((*ROOT.glob("shared/**/*.py"), *ROOT.glob("apps/**/*.py"))):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        source = path.read_text(encoding="utf-8")
        if "re." not in source or module in NOT_OF_VISITORS:
            continue
        tree = ast.parse(source)
        variables = {
            node.value: node.targets[0].id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name.partition(".")[0] != "re" or name.partition(".")[2] not in FUNCTIONS:
                continue
            method = name.removeprefix("re.")
            if method == "compile":  # how the pattern is used
                uses = set(re.findall(rf"\b{variables.get(node, 'no name')}\.(\w+)\(", source))
                method = "match" if uses and uses <= {"match", "fullmatch"} else "finditer"
            anchored = method in ("match", "fullmatch")
            place = f"{module}:{node.lineno}"
            yield place, _pattern(node, module), method if anchored else "finditer"


def _pattern(call, module):
    expression = ast.unparse(call.args[0])
    flags = [each.value for each in call.keywords if each.arg == "flags"]
    flags += call.args[1:2] if ast.unparse(call.func) == "re.compile" else []
    names = {"re": re}
    known = next((LOCAL[start] for start in LOCAL if expression.startswith(start)), None)
    if not isinstance(call.args[0], ast.Constant) and not known:
        names |= vars(importlib.import_module(module))
    try:
        pattern = known or eval(expression, names)
        return re.compile(pattern, *(eval(ast.unparse(each), names) for each in flags))
    except NameError:
        return None


PATTERNS = list(find_patterns())


def texts(pattern):
    """Beginnings, and pieces to repeat after them, over which a pattern may stumble."""
    source = pattern.pattern
    source = source.decode("latin-1") if isinstance(source, bytes) else source
    own = [each for each in dict.fromkeys(source) if each.isprintable()][:12]
    words = re.findall(r"[A-Za-z]{2,}", source)[:6]
    pairs = itertools.product([*own[:4], "a", " "], repeat=2)
    pieces = dict.fromkeys([*CHARACTERS, *own, *words, *map("".join, pairs)])
    return itertools.product(["", *own[:1], *words[:1]], pieces)


@pytest.mark.parametrize(
    ("place", "pattern", "method"), PATTERNS, ids=[each[0] for each in PATTERNS]
)
def test_a_pattern_takes_linear_time(place, pattern, method, growth):
    assert pattern is not None, f"add the pattern in {place} to LOCAL"
    is_bytes = isinstance(pattern.pattern, bytes)

    def run(text):
        matches = getattr(pattern, method)(text)
        if method == "finditer":
            for _ in matches:
                pass

    def make(start, piece, size):
        text = start + piece * (size // len(piece)) + "\x00"
        return text.encode("latin-1", "replace") if is_bytes else text

    seconds = {}
    for start, piece in texts(pattern):
        for size in (SCREENED_CHARACTERS // 10, SCREENED_CHARACTERS):
            began = time.thread_time()
            run(make(start, piece, size))
            seconds[start, piece] = time.thread_time() - began
            assert seconds[start, piece] < size / 20_000, f"{start!r} and {piece!r} times {size:,}"
    for start, piece in sorted(seconds, key=seconds.get)[-2:]:
        size = limits.TABLE_CELL_CHARACTERS
        factor = growth(run, make(start, piece, size), make(start, piece, size // 2))
        assert factor < 2.5, f"{start!r} and {piece!r} times {size:,}"
