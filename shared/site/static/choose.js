// A click on a button with a data-choice says which one.
element.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-choice]");
  if (button) trigger("click", { choice: button.dataset.choice });
});
