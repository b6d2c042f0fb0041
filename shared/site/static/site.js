// Links that restore a page, figures that are stepped through and saved, the switch between light and
// dark, and a stream of answers that loses none on a slow connection.
(() => {
  // Gradio's server closes the stream of answers when no event waits for one. An event that is sent
  // before the page has learned of this would wait for ever on the closed stream. The page is
  // therefore told only when no event waits; until then a new stream replaces the closed one.
  const fetchOriginal = window.fetch;
  const receipts = new Set(); // promises, one for each event that is being sent
  const waiting = new Set(); // ids of events without an answer
  const answeredEarly = new Set(); // ids of events whose answer came before their receipt
  let closed = Promise.resolve();

  async function sendEvent(request, options) {
    const reply = fetchOriginal(request, options);
    const receipt = reply.then((response) => response.clone().json()).then(({ event_id: id }) => {
      if (id && !answeredEarly.delete(id)) waiting.add(id);
    }).catch(() => {}); // Gradio's page reads the error from the reply
    receipts.add(receipt);
    await receipt;
    receipts.delete(receipt);
    await closed;
    return reply;
  }

  async function* readAnswers(request, reply) {
    for (;;) {
      let text = "", closing;
      for await (const chunk of chunks(reply.body.pipeThrough(new TextDecoderStream()))) {
        const lines = (text + chunk).split("\n\n");
        text = lines.pop();
        for (const line of lines) {
          const { msg, event_id: id } = JSON.parse(line.replace("data:", ""));
          if (msg === "process_completed" && !waiting.delete(id)) answeredEarly.add(id);
          if (msg === "close_stream") closing = line;
          else yield `${line}\n\n`;
        }
      }
      if (!closing) return; // the connection broke off
      while (receipts.size) await Promise.all(receipts);
      if (!waiting.size) {
        closed = new Promise((done) => {
          request.signal.addEventListener("abort", done);
          setTimeout(done, 3000);
        });
        yield `${closing}\n\n`;
        return;
      }
      reply = await fetchOriginal(request.clone());
      if (!reply.ok) throw new Error(reply.statusText);
    }
  }

  async function* chunks(stream) {
    const reader = stream.getReader();
    for (let part; !(part = await reader.read()).done;) yield part.value;
  }

  window.fetch = async (request, options) => {
    const url = String(request.url ?? request);
    if (url.includes("/queue/join")) return sendEvent(request, options);
    if (!url.includes("/queue/data?")) return fetchOriginal(request, options);
    const reply = await fetchOriginal(request.clone());
    if (!reply.ok) return reply;
    const lines = readAnswers(request, reply);
    const stream = new ReadableStream({
      async pull(controller) {
        const { done, value } = await lines.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    });
    return new Response(stream.pipeThrough(new TextEncoderStream()), reply);
  };

  // The attributes data-show and data-lit of a stepper's parts hold their first and last step.
  function show(stepper, step) {
    const n = Math.min(Math.max(step, 0), Number(stepper.dataset.count) - 1);
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
    const lit = stepper.querySelector(".scroll [data-lit].lit")?.getBoundingClientRect();
    const row = stepper.querySelector(".scroll:has([data-lit])");
    if (lit) row.scrollLeft += lit.left - row.getBoundingClientRect().left - row.clientWidth / 2;
  }

  function move(stepper, direction) {
    const n = Number(stepper.dataset.n);
    const stops = stepper.dataset.stops.split(" ").map(Number);
    show(stepper, {
      back: n - 1,
      on: n + 1,
      before: stops.filter((stop) => stop < n).pop() ?? 0,
      after: stops.find((stop) => stop > n) ?? Infinity,
    }[direction]);
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
    const direction = (event.shiftKey ? jumps : keys)[event.key];
    if (!direction) return;
    event.preventDefault();
    move(stepper, direction);
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
      // On a phone the navigation scrolls sideways: the current page's link is brought into view.
      for (const link of document.querySelectorAll("nav li [aria-current]:not([data-ready])")) {
        link.dataset.ready = "";
        const row = link.closest("ul, ol");
        row.scrollLeft = link.offsetLeft - row.offsetLeft - (row.clientWidth - link.clientWidth) / 2;
      }
      // Gradio labels the placeholder of a figure, and only elements with a role may have a label.
      for (const empty of document.querySelectorAll(".empty[aria-label]:not([role])"))
        empty.setAttribute("role", "img");
    });
  }).observe(document.documentElement, { childList: true, subtree: true });

  const SVG = document.createRange().createContextualFragment("<svg/>").firstChild.namespaceURI;
  const STYLE_PROPERTIES = [
    "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin",
    "stroke-linecap", "opacity", "font-family", "font-size", "font-weight", "font-style",
    "text-anchor", "vector-effect",
  ];

  function createShape(name, attributes, text = "") {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return element;
  }

  // A figure as one SVG that needs no style sheet; its legend and axis titles become part of it.
  function drawFigure(figure) {
    const svgs = [...figure.querySelectorAll("svg")].filter((svg) => !svg.parentElement.closest("svg"));
    const words = [...figure.querySelectorAll(".key, .y-title, .x-title")];
    const boxes = [...svgs, ...words].map((part) => part.getBoundingClientRect());
    const left = Math.min(...boxes.map((box) => box.left)) - 16;
    const top = Math.min(...boxes.map((box) => box.top)) - 16;
    const width = Math.max(...boxes.map((box) => box.right)) - left + 16;
    const height = Math.max(...boxes.map((box) => box.bottom)) - top + 16;
    const whole = createShape("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
    const ground = getComputedStyle(document.querySelector(".gradio-container")).backgroundColor;
    whole.append(createShape("rect", { width, height, fill: ground }));
    for (const svg of svgs) {
      const copy = svg.cloneNode(true);
      const from = [svg, ...svg.querySelectorAll("*")];
      const hidden = [];
      [copy, ...copy.querySelectorAll("*")].forEach((part, n) => {
        const style = getComputedStyle(from[n]);
        if (style.display === "none") hidden.push(part);
        for (const name of STYLE_PROPERTIES) part.setAttribute(name, style.getPropertyValue(name));
        part.removeAttribute("class");
        part.removeAttribute("style");
      });
      hidden.forEach((part) => part.remove());
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
        whole.append(createShape("line", { ...ends, ...stroke, ...dashes }));
        range.setStartAfter(key);
      }
      const box = range.getBoundingClientRect();
      const style = getComputedStyle(part);
      const font = { "font-family": style.fontFamily, "font-size": style.fontSize, fill: style.color };
      const place = { x: box.left - left, y: box.bottom - top - 0.28 * box.height };
      whole.append(createShape("text", { ...place, ...font }, part.textContent));
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
      const { width, height, text } = drawFigure(button.closest(".savable").querySelector(".fig"));
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
