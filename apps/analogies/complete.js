// Offers known words while one is typed into a word box.
const list = element.querySelector("datalist");
let latest = "";
document.addEventListener("focusin", (event) => {
  if (event.target.closest?.(".word-box input, .word-box textarea")) event.target.setAttribute("list", list.id);
});
document.addEventListener("input", async (event) => {
  const box = event.target;
  if (!box.closest?.(".word-box")) return;
  latest = box.value;
  const typed = latest, found = await server.complete(typed);
  if (typed !== latest) return;
  list.replaceChildren(...found.map((word) => Object.assign(document.createElement("option"), { value: word })));
});
