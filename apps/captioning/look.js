// Words are pointed at, and cells of the grid hidden.
element.addEventListener("click", (event) => {
  const cell = event.target.closest?.("[data-cell]");
  if (!cell) return;
  cell.setAttribute("aria-pressed", cell.getAttribute("aria-pressed") !== "true");
  const hidden = [...element.querySelectorAll("[data-cell][aria-pressed=true]")];
  // The photo may be another by the time it is asked about: a text, for the number is too long.
  const { asked } = cell.closest("[data-asked]").dataset;
  trigger("select", { asked, cells: hidden.map((one) => Number(one.dataset.cell)) });
});

// The script of the site steps through the words: its slider is told which.
for (const kind of ["pointerover", "focusin", "click"])
  element.addEventListener(kind, (event) => {
    const word = event.target.closest?.("[data-step]"), slider = element.querySelector("[type=range]");
    if (!word || slider.value === word.dataset.step) return;
    slider.value = word.dataset.step;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  });

// One cell is a stop of the Tab key, the arrows lead from it to the others.
element.addEventListener("keydown", (event) => {
  const way = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 7, ArrowUp: -7 }[event.key];
  const cell = event.target.closest?.("[data-cell]");
  if (!way || !cell) return;
  event.preventDefault();
  event.stopPropagation();
  const cells = [...element.querySelectorAll("[data-cell]")], next = cells[cells.indexOf(cell) + way];
  if (!next) return;
  cells.forEach((one) => { one.tabIndex = one === next ? 0 : -1; });
  next.focus();
});
