// A French word shows the English words it was made from, an English word the French ones.
const words = (pair, kind) => [...pair.querySelectorAll(`.${kind}`)];

function light(word) {
  const pair = word.closest(".aligned"), french = word.matches(".f");
  element.querySelectorAll(".on, .lit").forEach((one) => one.classList.remove("on", "lit"));
  const weights = (one) => one.dataset.w.split(" ").map(Number);
  const others = words(pair, french ? "e" : "f");
  const place = words(pair, "e").indexOf(word);
  const shares = french ? weights(word) : others.map((one) => weights(one)[place]);
  others.forEach((one, n) => {
    one.style.setProperty("--s", `${0.7 * shares[n]}%`);
    one.classList.toggle("lit", shares[n] > 1);
  });
  word.classList.add("on");
  const strongest = others.map((one, n) => [shares[n], one.textContent]).filter(([share]) => share > 2)
    .sort((a, b) => b[0] - a[0]).slice(0, 4).map(([share, text]) => `“${text}” ${share} %`);
  const list = strongest.join(", ") || "no word in particular";
  const chance = french ? ` · written with a chance of ${word.dataset.p}` : "";
  pair.querySelector(".looks").textContent =
    french ? `“${word.textContent}” looked at ${list}${chance}` : `“${word.textContent}” was looked at by ${list}`;
}

for (const kind of ["pointerover", "focusin", "click"])
  element.addEventListener(kind, (event) => {
    const word = event.target.closest?.(".aligned :is(.e, .f)");
    if (word) light(word);
  });
// One word of a sentence is a stop of the Tab key, the arrows lead from it to the others.
element.addEventListener("keydown", (event) => {
  const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key], word = event.target.closest?.(".f");
  if (!way || !word) return;
  const all = words(word.closest(".aligned"), "f");
  const next = all[Math.min(Math.max(all.indexOf(word) + way, 0), all.length - 1)];
  all.forEach((one) => { one.tabIndex = one === next ? 0 : -1; });
  event.preventDefault();
  next.focus();
});
