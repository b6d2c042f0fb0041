// Pointing at a phrase of the tree, or reaching it with the arrow keys, shows its probabilities.
const phrases = () => [...element.querySelectorAll(".phrase")];

function show(phrase) {
  const [start, end] = phrase.dataset.span.split(" ").map(Number);
  const below = new Set(), waiting = [phrase.dataset.n], all = phrases();
  while (waiting.length) {
    const n = waiting.pop();
    below.add(n);
    waiting.push(...all[n].dataset.down.split(" ").filter(Boolean));
  }
  all.forEach((each) => each.classList.toggle("on", each === phrase));
  element.querySelectorAll(".branch").forEach((line) => {
    line.classList.toggle("on", below.has(line.dataset.n) && line.dataset.n !== phrase.dataset.n);
  });
  element.querySelectorAll(".word").forEach((word) => {
    word.classList.toggle("on", word.dataset.n >= start && word.dataset.n < end);
  });
  element.querySelector(".phrase-detail q").textContent = phrase.dataset.text;
  const shares = phrase.dataset.p.split(" ");
  element.querySelectorAll(".phrase-detail .class-row").forEach((row, n) => {
    row.querySelector("b").style.width = `${shares[n]}%`;
    row.querySelector("em").textContent = `${shares[n]}\u202f%`;
  });
}

for (const kind of ["pointerover", "focusin", "click"])
  element.addEventListener(kind, (event) => {
    const phrase = event.target.closest?.(".phrase");
    const word = event.target.closest?.(".word");
    if (phrase || word) show(phrase ?? phrases()[word.dataset.n]);
  });
// One phrase is a stop of the Tab key; the arrow keys lead from it along the branches.
element.addEventListener("keydown", (event) => {
  const phrase = event.target.closest?.(".phrase");
  if (!phrase) return;
  const { n, up, down } = phrase.dataset, all = phrases(), [left, right] = down.split(" ");
  const parts = up ? all[up].dataset.down.split(" ") : [];
  const isWord = !down, last = element.querySelectorAll(".word").length - 1;
  const target = {
    ArrowUp: up,
    ArrowDown: left,
    ArrowLeft: isWord ? Math.max(Number(n) - 1, 0) : parts[0],
    ArrowRight: isWord ? Math.min(Number(n) + 1, last) : parts[1],
    Home: all.length - 1,
  }[event.key];
  if (target === undefined) return;
  event.preventDefault();
  if (target === "") return;
  all.forEach((each) => { each.tabIndex = each === all[target] ? 0 : -1; });
  all[target].focus();
});
