// A click on a square of the photo reports all squares that are hidden.
element.addEventListener("click", (event) => {
  const cell = event.target.closest?.("[data-cell]");
  if (!cell) return;
  cell.setAttribute("aria-pressed", cell.getAttribute("aria-pressed") !== "true");
  const hidden = [...element.querySelectorAll("[data-cell][aria-pressed=true]")];
  // Which answer the squares belong to, as text: the number is too long for JavaScript.
  const { answer } = cell.closest("[data-answer]").dataset;
  trigger("select", { answer, cells: hidden.map((one) => Number(one.dataset.cell)) });
});

// Pointing at a word moves the slider, which the script of the site listens to.
for (const kind of ["pointerover", "focusin", "click"])
  element.addEventListener(kind, (event) => {
    const word = event.target.closest?.("[data-step]"), slider = element.querySelector("[type=range]");
    if (!word || slider.value === word.dataset.step) return;
    slider.value = word.dataset.step;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  });

// The Tab key reaches one square; the arrow keys lead to the others.
element.addEventListener("keydown", (event) => {
  const offset = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 7, ArrowUp: -7 }[event.key];
  const cell = event.target.closest?.("[data-cell]");
  if (!offset || !cell) return;
  event.preventDefault();
  event.stopPropagation();
  const cells = [...element.querySelectorAll("[data-cell]")];
  const next = cells[cells.indexOf(cell) + offset];
  if (!next) return;
  cells.forEach((one) => { one.tabIndex = one === next ? 0 : -1; });
  next.focus();
});
