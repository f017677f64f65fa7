// What the page does beyond links and forms: live views, keys, dark mode, ticking and copying. Nothing depends on it.
(function () {
  "use strict";
  const root = document.documentElement, own = document.currentScript.dataset;

  function switchTheme() {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    document.cookie = "theme=" + root.dataset.theme + "; path=" + own.base + "; max-age=31536000; samesite=strict";
  }

  // replaceParts puts the new parts of a view in the place of the old ones that differ. Open details stay open.
  function replaceParts(view, html) {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById(view.id);
    if (!fresh) return;
    for (const part of [...fresh.children]) {
      const old = part.id && view.querySelector(":scope > #" + CSS.escape(part.id));
      if (!old) continue;
      for (const details of part.querySelectorAll("details[id]")) {
        const before = document.getElementById(details.id);
        if (before) details.open = before.open;
      }
      if (!old.isEqualNode(part)) replace(old, part);
    }
  }

  // replace keeps the focus where it is. A part in which the operator types is replaced when that is over.
  const later = new WeakMap();
  const focusable = (part) => [...part.querySelectorAll("a[href], button, summary, [tabindex]")];
  function replace(old, part) {
    const focused = document.activeElement;
    if (!old.contains(focused)) return old.replaceWith(part);
    if (focused.matches("input, textarea, select")) {
      if (!later.has(old)) old.addEventListener("focusout", () => old.replaceWith(later.get(old)), { once: true });
      later.set(old, part);
      return;
    }
    const at = focusable(old).indexOf(focused), key = focused.getAttribute("href");
    old.replaceWith(part);
    const now = focusable(part);
    const next = (key && now.find((one) => one.getAttribute("href") === key)) || now[at] || part;
    if (next === part) part.tabIndex = -1;
    next.focus({ preventScroll: true });
  }

  function watch() {
    const view = document.querySelector("[data-live]");
    if (!view) return;
    let source;
    const open = () => {
      source = new EventSource(view.dataset.live);
      source.addEventListener("saga", (event) => replaceParts(view, event.data));
      source.addEventListener("end", () => source.close());
    };
    const pause = () => { if (document.hidden) source.close(); else open(); };
    open();
    document.addEventListener("visibilitychange", pause);
    addEventListener("pagehide", () => source.close());
  }

  // load fetches htmx, which only views that are read again need. No paint waits for it.
  function load() {
    if (!document.querySelector("[data-poll]")) return;
    const script = document.createElement("script");
    script.src = own.htmx;
    script.onload = poll;
    document.head.append(script);
  }

  // poll reads a view again every few seconds, unless it is hidden or the operator is about to act on it.
  function poll() {
    const view = document.querySelector("[data-poll]");
    if (!view || !window.htmx) return;
    const busy = () => document.hidden || view.contains(document.activeElement) && document.activeElement.matches("input,select,textarea") ||
      document.querySelector("#view input[name=id]:checked");
    setTimeout(() => {
      if (busy() || !view.isConnected) return view.isConnected && poll();
      htmx.ajax("GET", location.pathname + (location.search || "?") + "&whole=1", { target: "#view", select: "#view", swap: "outerHTML" }).then(ready, poll);
    }, Number(view.dataset.poll));
  }

  function picked() {
    const ticks = document.querySelectorAll("input[name=id]");
    const on = [...ticks].filter((tick) => tick.checked).length;
    for (const label of document.querySelectorAll("[data-picked]")) label.textContent = on ? on + " ticked" : "Tick rows to act on some of them";
    for (const all of document.querySelectorAll("[data-all]")) all.checked = on > 0 && on === ticks.length;
  }

  function copy(button) {
    const text = button.parentElement.querySelector("code").textContent;
    const done = () => { const was = button.innerHTML; button.textContent = "Copied"; setTimeout(() => { button.innerHTML = was; }, 1500); };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => {});
  }

  // ready prepares a view, after the first and every later load of it.
  function ready() {
    for (const button of document.querySelectorAll("[data-copy], [data-theme-switch]")) button.hidden = false;
    for (const part of document.querySelectorAll("[data-without-scripts]")) part.hidden = true;
    poll();
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("button");
    if (!target) return;
    if (target.matches("[data-theme-switch]")) switchTheme();
    if (target.matches("[data-copy]")) copy(target);
  });
  document.addEventListener("change", (event) => {
    const target = event.target;
    if (target.matches("[data-all]")) for (const tick of document.querySelectorAll("input[name=id]")) tick.checked = target.checked;
    if (target.matches("[data-all], input[name=id]")) picked();
    if (target.matches("[data-choose]")) target.form.querySelector("button[name=choose]").click();
    if (target.matches("[data-filters] input[type=checkbox]")) target.form.requestSubmit();
  });
  document.addEventListener("submit", (event) => { // an address has only the filters that are set
    if (event.target.method !== "get") return;
    for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
    setTimeout(() => { for (const field of event.target.elements) field.disabled = false; }, 0);
  });

  let before = "";
  const rows = () => [...document.querySelectorAll(".table tbody tr")].filter((row) => row.querySelector("a"));
  function step(by) {
    const all = rows(), at = all.findIndex((row) => row.classList.contains("at"));
    const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
    if (!next) return;
    for (const row of all) row.classList.remove("at");
    next.classList.add("at");
    next.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input:not([type=checkbox]):not([type=radio]), textarea, select")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const row = document.querySelector("tr.at"), help = document.getElementById("keys-dialog");
    const was = before;
    before = event.key === "g" ? "g" : "";
    if (was === "g") {
      const link = document.querySelector('[data-go="' + CSS.escape(event.key) + '"]');
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    switch (event.key) {
      case "/": document.querySelector(".search input")?.focus(); event.preventDefault(); break;
      case "?": if (!help.open) help.showModal(); break;
      case "t": switchTheme(); break;
      case "j": step(1); break;
      case "k": step(-1); break;
      case "x": row?.querySelector("input[name=id]")?.click(); break;
      case "Enter": if (row && !event.target.matches("a, button, input, summary")) row.querySelector("a").click(); break;
    }
  });
  ready();
  watch();
  if (matchMedia("(max-width: 860px)").matches) document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  new PerformanceObserver((paints, observer) => { observer.disconnect(); load(); }).observe({ type: "paint", buffered: true });
})();
