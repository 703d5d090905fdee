// Filters and sorts the tiles of a report. They are all in the page from the start, best first.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const list = byId("photos");
  if (!list) return; // nothing was scored

  const collator = new Intl.Collator(undefined, { numeric: true });
  const comparable = (text) => text.normalize("NFC").toLowerCase();
  const photos = Array.from(list.children, (tile, rank) => ({
    tile,
    rank,
    bin: Number(tile.dataset.bin),
    stars: tile.dataset.stars,
    time: "time" in tile.dataset ? Number(tile.dataset.time) : Infinity,
    burst: tile.dataset.burst,
    name: tile.querySelector(".name").textContent,
    folder: tile.querySelector(".folder").textContent,
    text: comparable(tile.firstElementChild.title),
  }));

  const orders = {
    best: (a, b) => a.rank - b.rank,
    worst: (a, b) => b.rank - a.rank,
    name: (a, b) => collator.compare(a.name, b.name) || a.rank - b.rank,
    // Photos without a time are last: Infinity less Infinity is no number, so rank decides among them.
    time: (a, b) => a.time - b.time || a.rank - b.rank,
    folder: (a, b) => collator.compare(a.folder, b.folder) || a.rank - b.rank,
  };

  const text = byId("text");
  const sort = byId("sort");
  const bursts = byId("bursts"); // null where there are none
  const histogram = byId("histogram"); // null where all scores are equal
  const low = byId("low");
  const high = byId("high");
  const bars = histogram ? Array.from(histogram.querySelectorAll("rect")) : [];
  const chips = Array.from(document.querySelectorAll("[data-stars].chip"));
  const isPressed = (button) => button?.getAttribute("aria-pressed") === "true";

  function scoreAt(edge) {
    const { low: from, high: to, decimals } = histogram.dataset;
    return (Number(from) + ((Number(to) - Number(from)) * edge) / bars.length).toFixed(Number(decimals));
  }

  function showRange(from, to) {
    bars.forEach((bar, bin) => bar.classList.toggle("out", bin < from || bin >= to));
    low.setAttribute("aria-valuetext", scoreAt(from));
    high.setAttribute("aria-valuetext", scoreAt(to));
    byId("range").textContent =
      from > 0 || to < bars.length ? `${scoreAt(from)} to ${scoreAt(to)}` : "drag to choose scores";
  }

  function filter() {
    const from = histogram ? Number(low.value) : 0;
    const to = histogram ? Number(high.value) : 1;
    if (histogram) showRange(from, to);
    const stars = new Set(chips.filter(isPressed).map((chip) => chip.dataset.stars));
    const wanted = comparable(text.value.trim());
    let shown = 0;
    for (const photo of photos) {
      const fits =
        photo.bin >= from &&
        photo.bin < to &&
        (stars.size === 0 || stars.has(photo.stars)) &&
        (!isPressed(bursts) || photo.burst !== "rest") &&
        photo.text.includes(wanted);
      photo.tile.hidden = !fits;
      shown += fits;
    }
    const all = photos.length.toLocaleString("en");
    const some = shown.toLocaleString("en");
    byId("shown").textContent =
      shown === photos.length ? `All ${all} shown` : shown ? `${some} of ${all} shown` : "No photo fits";
    byId("clear").hidden = shown === photos.length;
  }

  function reorder() {
    const fragment = document.createDocumentFragment();
    for (const photo of photos.sort(orders[sort.value])) fragment.append(photo.tile);
    list.append(fragment);
  }

  function clear() {
    if (histogram) setRange(0, bars.length);
    text.value = "";
    for (const button of [...chips, bursts]) button?.setAttribute("aria-pressed", "false");
    filter();
    text.focus(); // the button that had it is gone
  }

  function setRange(from, to) {
    low.value = from;
    high.value = to;
  }

  for (const button of [...chips, bursts]) {
    button?.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(!isPressed(button)));
      filter();
    });
  }
  text.addEventListener("input", filter);
  sort.addEventListener("change", reorder);
  byId("clear").addEventListener("click", clear);

  if (histogram) {
    // The two never meet: a bar at least stays between them.
    low.addEventListener("input", () => {
      low.value = Math.min(Number(low.value), Number(high.value) - 1);
      filter();
    });
    high.addEventListener("input", () => {
      high.value = Math.max(Number(high.value), Number(low.value) + 1);
      filter();
    });

    const drawing = histogram.querySelector("svg");
    const barAt = (event) => {
      const box = drawing.getBoundingClientRect();
      const bar = Math.floor(((event.clientX - box.left) / box.width) * bars.length);
      return Math.min(Math.max(bar, 0), bars.length - 1);
    };
    let anchor = null;
    const drag = (event) => {
      const bar = barAt(event);
      setRange(Math.min(anchor, bar), Math.max(anchor, bar) + 1);
      filter();
    };
    drawing.addEventListener("pointerdown", (event) => {
      drawing.setPointerCapture(event.pointerId);
      anchor = barAt(event);
      drag(event);
    });
    drawing.addEventListener("pointermove", (event) => {
      if (anchor !== null) drag(event);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      drawing.addEventListener(end, () => {
        anchor = null;
      });
    }
  }

  byId("controls").hidden = false;
  // Browsers fill in what was chosen before a reload.
  reorder();
  filter();
})();
