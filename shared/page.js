// The address bar follows the tabs, and links restore a page's state; nothing else.
(() => {
  const PAGES = "#pages [role=tab]";

  function address(tab, state = {}) {
    const url = new URL(window.location.pathname, window.location.origin);
    url.searchParams.set("tab", tab);
    for (const [name, value] of Object.entries(state)) url.searchParams.set(name, value);
    return url;
  }

  const titled = (button) => `${button.textContent.trim()} · Unrolled`;

  // Before Gradio hears of the click, so that its events carry the new address.
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(PAGES);
    if (!button?.id) return;
    history.replaceState(null, "", address(button.id.replace(/^tab-|-button$/g, "")));
    document.title = titled(button);
  }, true);

  window.unrolled = {
    async copyLink(tab, names, values) {
      const url = address(tab, Object.fromEntries(names.map((name, n) => [name, values[n] ?? ""])));
      if (url.href.length > 6000) return "Too long for a link";
      history.replaceState(null, "", url);
      try {
        await navigator.clipboard.writeText(url.href);
        return "Link copied";
      } catch {
        return "The link is in the address bar";
      }
    },
    switchMode() {
      const dark = document.body.classList.toggle("dark");
      localStorage.setItem("unrolled-mode", dark ? "dark" : "light");
    },
  };

  // Once the tabs are there: the mode chosen before, and the title of the page asked for.
  new MutationObserver((_, observer) => {
    if (!document.querySelector(PAGES)) return;
    observer.disconnect();
    const mode = localStorage.getItem("unrolled-mode");
    if (mode) document.body.classList.toggle("dark", mode === "dark");
    const tab = new URLSearchParams(window.location.search).get("tab");
    const button = tab && document.getElementById(`tab-${tab}-button`);
    if (button) document.title = titled(button);
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
