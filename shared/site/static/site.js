// Links to a page's state, figures that are stepped through and saved, light and dark, and a stream of
// answers that loses none on a slow line.
(() => {
  // Gradio's server ends the stream of answers when none is due. A question asked while that news
  // is on its way would wait for ever on the stream that has ended: so Gradio's page hears of the
  // end only once no answer is due, and until then a new stream takes the place of the old one.
  const send = window.fetch;
  const receipts = new Set(); // of the questions on their way
  const asked = new Set(), answered = new Set(); // questions without an answer, and the reverse
  let closed = Promise.resolve();

  async function ask(request, options) {
    const reply = send(request, options);
    const receipt = reply.then((found) => found.clone().json()).then(({ event_id: id }) => {
      if (id && !answered.delete(id)) asked.add(id);
    }).catch(() => {}); // what went wrong is said by the reply itself
    receipts.add(receipt);
    await receipt;
    receipts.delete(receipt);
    await closed;
    return reply;
  }

  async function* answers(request, reply) {
    for (;;) {
      let text = "", last;
      for await (const chunk of chunks(reply.body.pipeThrough(new TextDecoderStream()))) {
        const lines = (text + chunk).split("\n\n");
        text = lines.pop();
        for (const line of lines) {
          const { msg, event_id: id } = JSON.parse(line.replace("data:", ""));
          if (msg === "process_completed" && !asked.delete(id)) answered.add(id);
          if (msg === "close_stream") last = line;
          else yield `${line}\n\n`;
        }
      }
      if (!last) return; // it broke off
      while (receipts.size) await Promise.all(receipts);
      if (!asked.size) {
        closed = new Promise((done) => {
          request.signal.addEventListener("abort", done);
          setTimeout(done, 3000);
        });
        yield `${last}\n\n`;
        return;
      }
      reply = await send(request.clone());
      if (!reply.ok) throw new Error(reply.statusText);
    }
  }

  async function* chunks(stream) {
    const reader = stream.getReader();
    for (let part; !(part = await reader.read()).done;) yield part.value;
  }

  window.fetch = async (request, options) => {
    const url = String(request.url ?? request);
    if (url.includes("/queue/join")) return ask(request, options);
    if (!url.includes("/queue/data?")) return send(request, options);
    const reply = await send(request.clone());
    if (!reply.ok) return reply;
    const lines = answers(request, reply);
    const stream = new ReadableStream({
      async pull(line) {
        const { done, value } = await lines.next();
        if (done) line.close();
        else line.enqueue(value);
      },
    });
    return new Response(stream.pipeThrough(new TextEncoderStream()), reply);
  };

  // Parts of a stepper say with data-show and data-lit from which step to which they are so.
  function show(stepper, wanted) {
    const n = Math.min(Math.max(wanted, 0), Number(stepper.dataset.count) - 1);
    stepper.dataset.n = n;
    const within = (range) => {
      const [from, to] = range.split(" ").map(Number);
      return from <= n && n <= to;
    };
    for (const part of stepper.querySelectorAll("[data-show]"))
      part.classList.toggle("off", !within(part.dataset.show));
    for (const part of stepper.querySelectorAll("[data-lit]"))
      part.classList.toggle("lit", part.dataset.lit.split(",").some(within));
    stepper.querySelector("input[type=range]").value = n;
    const here = stepper.querySelector(".scroll [data-lit].lit")?.getBoundingClientRect();
    const row = stepper.querySelector(".scroll:has([data-lit])");
    if (here) row.scrollLeft += here.left - row.getBoundingClientRect().left - row.clientWidth / 2;
  }

  function move(stepper, how) {
    const n = Number(stepper.dataset.n);
    const stops = stepper.dataset.stops.split(" ").map(Number);
    show(stepper, {
      back: n - 1,
      on: n + 1,
      before: stops.filter((stop) => stop < n).pop() ?? 0,
      after: stops.find((stop) => stop > n) ?? Infinity,
    }[how]);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".stepper [data-move]");
    if (button) move(button.closest(".stepper"), button.dataset.move);
  });
  document.addEventListener("input", (event) => {
    const stepper = event.target.matches("input[type=range]") && event.target.closest(".stepper");
    if (stepper) show(stepper, Number(event.target.value));
  });
  document.addEventListener("keydown", (event) => {
    const stepper = document.querySelector(".stepper");
    const typing = event.target.closest?.("input, textarea, select, [role=tablist]");
    if (!stepper || typing || event.ctrlKey || event.altKey || event.metaKey) return;
    const keys = { ArrowLeft: "back", ArrowRight: "on" };
    const jumps = { ArrowLeft: "before", ArrowRight: "after" };
    const how = (event.shiftKey ? jumps : keys)[event.key];
    if (!how) return;
    event.preventDefault();
    move(stepper, how);
  });
  // At most once a frame: Gradio changes the document some thousand times while it builds a page.
  let scheduled = false;
  new MutationObserver(() => {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => {
      scheduled = false;
      for (const stepper of document.querySelectorAll(".stepper:not([data-ready])")) {
        stepper.dataset.ready = "";
        show(stepper, Number(stepper.dataset.n));
      }
      // Gradio labels the placeholder of a figure, and only elements with a role may have a label.
      for (const empty of document.querySelectorAll(".empty[aria-label]:not([role])"))
        empty.setAttribute("role", "img");
    });
  }).observe(document.documentElement, { childList: true, subtree: true });

  const SVG = document.createRange().createContextualFragment("<svg/>").firstChild.namespaceURI;
  const LOOK = [
    "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin",
    "stroke-linecap", "opacity", "font-family", "font-size", "font-weight", "font-style",
    "text-anchor", "vector-effect",
  ];

  function shape(name, attributes, text = "") {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  }

  // A figure as one drawing that needs no style sheet: the words around it become part of it.
  function drawing(figure) {
    const svgs = [...figure.querySelectorAll("svg")].filter((svg) => !svg.parentElement.closest("svg"));
    const words = [...figure.querySelectorAll(".key, .y-title, .x-title")];
    const boxes = [...svgs, ...words].map((part) => part.getBoundingClientRect());
    const left = Math.min(...boxes.map((box) => box.left)) - 16;
    const top = Math.min(...boxes.map((box) => box.top)) - 16;
    const width = Math.max(...boxes.map((box) => box.right)) - left + 16;
    const height = Math.max(...boxes.map((box) => box.bottom)) - top + 16;
    const whole = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
    const ground = getComputedStyle(document.querySelector(".gradio-container")).backgroundColor;
    whole.append(shape("rect", { width, height, fill: ground }));
    for (const svg of svgs) {
      const copy = svg.cloneNode(true);
      const from = [svg, ...svg.querySelectorAll("*")];
      const gone = [];
      [copy, ...copy.querySelectorAll("*")].forEach((part, n) => {
        const style = getComputedStyle(from[n]);
        if (style.display === "none") gone.push(part);
        for (const name of LOOK) part.setAttribute(name, style.getPropertyValue(name));
        part.removeAttribute("class");
        part.removeAttribute("style");
      });
      gone.forEach((part) => part.remove());
      const box = svg.getBoundingClientRect();
      const style = getComputedStyle(svg);
      const pad = (side) => parseFloat(style.getPropertyValue(`padding-${side}`));
      copy.setAttribute("x", box.left - left + pad("left"));
      copy.setAttribute("y", box.top - top + pad("top"));
      copy.setAttribute("width", box.width - pad("left") - pad("right"));
      copy.setAttribute("height", box.height - pad("top") - pad("bottom"));
      copy.setAttribute("overflow", "visible");
      whole.append(copy);
    }
    for (const part of words) {
      const range = document.createRange();
      range.selectNodeContents(part);
      const key = part.querySelector("i");
      if (key) {
        const box = key.getBoundingClientRect();
        const y = (box.top + box.bottom) / 2 - top;
        const ends = { x1: box.left - left, x2: box.right - left, y1: y, y2: y };
        const stroke = { stroke: getComputedStyle(key).backgroundColor, "stroke-width": box.height };
        const dashes = part.matches(".dashed") ? { "stroke-dasharray": "5 3" } : {};
        whole.append(shape("line", { ...ends, ...stroke, ...dashes }));
        range.setStartAfter(key);
      }
      const box = range.getBoundingClientRect();
      const style = getComputedStyle(part);
      const font = { "font-family": style.fontFamily, "font-size": style.fontSize, fill: style.color };
      const place = { x: box.left - left, y: box.bottom - top - 0.28 * box.height };
      whole.append(shape("text", { ...place, ...font }, part.textContent));
    }
    return { width, height, text: new XMLSerializer().serializeToString(whole) };
  }

  function save(name, url) {
    const link = document.createElement("a");
    Object.assign(link, { download: name, href: url });
    link.click();
  }

  window.unrolled = {
    async copyCode(button) {
      const text = button.parentElement.querySelector("code").textContent;
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    },
    async saveFigure(button, name, kind) {
      const { width, height, text } = drawing(button.closest(".savable").querySelector(".fig"));
      const url = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
      if (kind === "svg") return save(`${name}.svg`, url);
      const image = new Image();
      image.src = url;
      await image.decode();
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [2 * width, 2 * height];
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      save(`${name}.png`, canvas.toDataURL("image/png"));
    },
    async copyLink(names, values) {
      const url = new URL(window.location.pathname, window.location.origin);
      names.forEach((name, n) => url.searchParams.set(name, values[n] ?? ""));
      const step = document.querySelector(".stepper")?.dataset.n;
      if (step) url.searchParams.set("step", step);
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

  // The mode chosen before, once Gradio has set its own.
  new MutationObserver((_, observer) => {
    if (!document.querySelector(".masthead")) return;
    observer.disconnect();
    const mode = localStorage.getItem("unrolled-mode");
    if (mode) document.body.classList.toggle("dark", mode === "dark");
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
