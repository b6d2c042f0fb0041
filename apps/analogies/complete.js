// Offers words of the vocabulary while a visitor types into a word box.
const list = element.querySelector("datalist");
let latest = "";
document.addEventListener("focusin", (event) => {
  if (event.target.closest?.(".word-box input, .word-box textarea")) event.target.setAttribute("list", list.id);
});
document.addEventListener("input", async (event) => {
  const box = event.target;
  if (!box.closest?.(".word-box")) return;
  latest = box.value;
  const typed = latest, words = await server.complete(typed);
  if (typed !== latest) return;
  list.replaceChildren(...words.map((word) => Object.assign(document.createElement("option"), { value: word })));
});
