"""How long an analogy takes beside gensim's, loading the vectors, and the map in a browser.

`python -m benchmarks.analogies [--site ADDRESS] [--text FILE] [--json]`. Milliseconds, medians,
warm. With a text, also how good the vectors are that the page learns from it, beside gensim's.
"""

import json
import shutil
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from apps.analogies import learning
from apps.analogies import vectors as store
from apps.analogies.examples import ANALOGIES
from apps.analogies.predictor import METHODS, Predictor
from apps.analogies.vectors import Vectors
from benchmarks.forecasting import milliseconds

app = typer.Typer(add_completion=False)


def measure(repeats=15):
    """All timings without a browser, as a dict."""
    from gensim.models import KeyedVectors

    times = {"load": milliseconds(store.load, 5)}
    predictor = Predictor.load()
    vectors = predictor.vectors
    questions = [words for _, *words in ANALOGIES]
    for method in METHODS:
        asked = milliseconds(
            lambda method=method: [predictor.analogy(*words, method) for words in questions],
            repeats,
        )
        times[f"analogy_{method}"] = round(asked / len(questions), 1)
    keyed = KeyedVectors(vector_size=vectors.matrix.shape[1])
    keyed.add_vectors(vectors.words, vectors.matrix)
    theirs = milliseconds(
        lambda: [keyed.most_similar([b, c], [a]) for a, b, c in questions], repeats
    )
    times["gensim_most_similar"] = round(theirs / len(questions), 1)
    given = np.ascontiguousarray(vectors.matrix[:3].T)
    times["the_product_alone"] = milliseconds(lambda: vectors.matrix @ given, repeats)
    return times


def measure_map(address):
    """Milliseconds from the map's words in the page until they are painted, in a browser."""
    from playwright.sync_api import sync_playwright

    # The picture is asked for anew, and timed until two frames after its data have come.
    script = """async () => {
      const box = document.querySelector('#word-map'), data = box.querySelector('.map-data');
      const before = data.textContent;
      const arrived = new Promise((done) => new MutationObserver((_, watcher) => {
        if (document.querySelector('.map-data').textContent === before) return;
        watcher.disconnect();
        const start = performance.now();
        requestAnimationFrame(() => requestAnimationFrame(() => {
          box.querySelector('canvas').getContext('2d').getImageData(0, 0, 1, 1);
          done(performance.now() - start);
        }));
      }).observe(box, {childList: true, subtree: true, characterData: true}));
      return arrived;
    }"""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{address}/?tab=analogies")
        page.wait_for_function(
            "document.querySelector('.map-data')?.textContent.length > 1000", timeout=120_000
        )
        times = {}
        for layout in ("PCA, flat", "PCA, deep", "t-SNE, flat"):
            page.get_by_label("Layout").click()
            waiting = page.evaluate_handle(f"({{ promise: ({script})() }})")
            start = time.perf_counter()
            page.get_by_role("option", name=layout).click()
            times[f"map_painted, {layout}"] = round(waiting.evaluate("one => one.promise"), 1)
            times[f"map_from_click, {layout}"] = round(1000 * (time.perf_counter() - start), 1)
        browser.close()
    return times


def measure_learning(path):
    """How good the page's own networks and gensim's are on one text, and the seconds they take.

    As good as the shipped vectors find, by the mean cosine, the five nearest neighbours of each of
    the 2,000 most frequent words.
    """
    from gensim.models import Word2Vec

    shipped, text = store.load(), learning.prepare(path.read_text(encoding="utf-8"))

    def quality(vectors):
        words = [word for word in vectors.words if word in shipped]
        rows = np.stack([vectors[word] for word in words])
        reference = np.stack([shipped[word] for word in words])
        cosines = rows[:2000] @ rows.T
        np.fill_diagonal(cosines, -2)
        near = np.argsort(-cosines)[:, :5]
        return round(float(np.einsum("nd,nkd->nk", reference[:2000], reference[near]).mean()), 3)

    found = {}
    for architecture, sg, epochs in (("skipgram", 1, 15), ("cbow", 0, 40)):
        *_, last = learning.learn(text, architecture)
        found[f"{architecture}_quality"] = quality(last.vectors)
        found[f"{architecture}_epochs"] = round(last.epochs, 1)
        found[f"{architecture}_seconds"] = round(last.seconds, 3)
        known = set(last.vectors.words)
        lines = [[word for word in part if word in known] for part in text.paragraphs]
        start = time.perf_counter()
        theirs = Word2Vec(
            lines, sg=sg, epochs=epochs, vector_size=learning.DIMENSIONS, window=learning.WINDOW,
            negative=learning.NEGATIVES, alpha=0.05, min_count=1, workers=2, seed=0,
        )  # fmt: skip
        found[f"gensim_{architecture}_seconds"] = round(time.perf_counter() - start, 3)
        centred = theirs.wv.vectors - theirs.wv.vectors.mean(axis=0)  # as ours are
        found[f"gensim_{architecture}_quality"] = quality(
            Vectors.of(theirs.wv.index_to_key, centred)
        )
    return found


@app.command()
def main(
    site: Annotated[
        str | None, typer.Option(help="Address of a running site: its map too.")
    ] = None,
    text: Annotated[Path | None, typer.Option(help="A text to learn from, UTF-8.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
):
    """Time the analogies, with a site its map, and with a text what is learned from it."""
    times = measure()
    if site:
        times |= measure_map(site)
    learned = measure_learning(text) if text else {}
    if as_json:
        print(json.dumps(times | learned))
    else:
        for name, value in times.items():
            print(f"{name:40}{value:10.1f} ms")
        for name, value in learned.items():
            print(f"{name:40}{value:10}")


if __name__ == "__main__":
    app()
