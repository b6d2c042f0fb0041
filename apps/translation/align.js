// Pointing at a French word highlights the English words that it attended to, and the other way round.
const wordsOf = (pair, kind) => [...pair.querySelectorAll(`.${kind}`)];

function highlight(word) {
  const pair = word.closest(".aligned"), isFrench = word.matches(".f");
  element.querySelectorAll(".on, .lit").forEach((each) => each.classList.remove("on", "lit"));
  const weightsOf = (french) => french.dataset.w.split(" ").map(Number);
  const others = wordsOf(pair, isFrench ? "e" : "f");
  const position = wordsOf(pair, "e").indexOf(word);
  const shares = isFrench ? weightsOf(word) : others.map((french) => weightsOf(french)[position]);
  others.forEach((other, n) => {
    other.style.setProperty("--s", `${0.7 * shares[n]}%`);
    other.classList.toggle("lit", shares[n] > 1);
  });
  word.classList.add("on");
  const strongest = others.map((other, n) => [shares[n], other.textContent]).filter(([share]) => share > 2)
    .sort((a, b) => b[0] - a[0]).slice(0, 4).map(([share, text]) => `“${text}” ${share} %`);
  const list = strongest.join(", ") || "no word in particular";
  const chance = isFrench ? ` · written with a chance of ${word.dataset.p}` : "";
  pair.querySelector(".looks").textContent =
    isFrench ? `“${word.textContent}” looked at ${list}${chance}` : `“${word.textContent}” was looked at by ${list}`;
}

for (const kind of ["pointerover", "focusin", "click"])
  element.addEventListener(kind, (event) => {
    const word = event.target.closest?.(".aligned :is(.e, .f)");
    if (word) highlight(word);
  });
// One word of a sentence is a stop of the Tab key; the arrow keys lead from it to the others.
element.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], word = event.target.closest?.(".f");
  if (!step || !word) return;
  const all = wordsOf(word.closest(".aligned"), "f");
  const next = all[Math.min(Math.max(all.indexOf(word) + step, 0), all.length - 1)];
  all.forEach((each) => { each.tabIndex = each === next ? 0 : -1; });
  event.preventDefault();
  next.focus();
});
