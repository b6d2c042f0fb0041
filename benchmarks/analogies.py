"""Times analogies beside gensim's, the loading of the vectors, and the map in a browser.

`python -m benchmarks.analogies [--site ADDRESS] [--text FILE] [--json]`. Median milliseconds, warm.
With a text, the quality of the vectors that the page learns from it is measured beside gensim's.
"""

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
from benchmarks.timing import AsJson, median_milliseconds, print_figures

app = typer.Typer(add_completion=False)


def measure(repeats=15):
    """All timings without a browser, as a dict."""
    from gensim.models import KeyedVectors

    times = {"load": median_milliseconds(store.load, 5)}
    predictor = Predictor.load()
    vectors = predictor.vectors
    questions = [words for _, *words in ANALOGIES]
    for method in METHODS:
        total = median_milliseconds(
            lambda method=method: [predictor.analogy(*words, method) for words in questions],
            repeats,
        )
        times[f"analogy_{method}"] = round(total / len(questions), 1)
    keyed = KeyedVectors(vector_size=vectors.matrix.shape[1])
    keyed.add_vectors(vectors.words, vectors.matrix)
    total = median_milliseconds(
        lambda: [keyed.most_similar([b, c], [a]) for a, b, c in questions], repeats
    )
    times["gensim_most_similar"] = round(total / len(questions), 1)
    three_words = np.ascontiguousarray(vectors.matrix[:3].T)
    times["the_product_alone"] = median_milliseconds(lambda: vectors.matrix @ three_words, repeats)
    return times


def measure_map(address):
    """Milliseconds until a browser has painted the map, from its data and from the click."""
    from playwright.sync_api import sync_playwright

    # Resolves to the time from the arrival of new data until two frames later.
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
        page.goto(f"{address}/analogies")
        page.wait_for_function(
            "document.querySelector('.map-data')?.textContent.length > 1000", timeout=120_000
        )
        times = {}
        for layout in ("PCA, 2D", "PCA, 3D", "t-SNE, 2D"):
            page.get_by_label("Layout").click()
            painted = page.evaluate_handle(f"({{ promise: ({script})() }})")
            start = time.perf_counter()
            page.get_by_role("option", name=layout).click()
            times[f"map_painted, {layout}"] = round(painted.evaluate("one => one.promise"), 1)
            times[f"map_from_click, {layout}"] = round(1000 * (time.perf_counter() - start), 1)
        browser.close()
    return times


def measure_learning(path):
    """Quality and seconds of the page's own networks and of gensim's, on one text.

    The quality of vectors is the mean cosine, in the shipped vectors, between each of the 2,000
    most frequent words and its five nearest neighbours.
    """
    from gensim.models import Word2Vec

    shipped = store.load()
    text = learning.prepare(path.read_text(encoding="utf-8"))

    def measure_quality(vectors):
        words = [word for word in vectors.words if word in shipped]
        rows = np.stack([vectors[word] for word in words])
        reference = np.stack([shipped[word] for word in words])
        cosines = rows[:2000] @ rows.T
        np.fill_diagonal(cosines, -2)
        neighbours = np.argsort(-cosines)[:, :5]
        reference_cosines = np.einsum("nd,nkd->nk", reference[:2000], reference[neighbours])
        return round(float(reference_cosines.mean()), 3)

    figures = {}
    for architecture, sg, epochs in (("skipgram", 1, 15), ("cbow", 0, 40)):
        *_, last = learning.learn(text, architecture)
        figures[f"{architecture}_quality"] = measure_quality(last.vectors)
        figures[f"{architecture}_epochs"] = round(last.epochs, 1)
        figures[f"{architecture}_seconds"] = round(last.seconds, 3)
        vocabulary = set(last.vectors.words)
        lines = [[word for word in words if word in vocabulary] for words in text.paragraphs]
        start = time.perf_counter()
        model = Word2Vec(
            lines, sg=sg, epochs=epochs, vector_size=learning.DIMENSIONS, window=learning.WINDOW,
            negative=learning.NEGATIVES, alpha=0.05, min_count=1, workers=2, seed=0,
        )  # fmt: skip
        figures[f"gensim_{architecture}_seconds"] = round(time.perf_counter() - start, 3)
        centred = model.wv.vectors - model.wv.vectors.mean(axis=0)  # as ours are
        figures[f"gensim_{architecture}_quality"] = measure_quality(
            Vectors.of(model.wv.index_to_key, centred)
        )
    return figures


@app.command()
def main(
    site: Annotated[
        str | None, typer.Option(help="Address of a running site, to time its map.")
    ] = None,
    text: Annotated[Path | None, typer.Option(help="A text to learn from, in UTF-8.")] = None,
    as_json: AsJson = False,
):
    """Time analogies; with a site, its map; with a text, the networks that learn from it."""
    figures = measure()
    if site:
        figures |= measure_map(site)
    if text:
        figures |= measure_learning(text)
    print_figures(figures, as_json)


if __name__ == "__main__":
    app()
