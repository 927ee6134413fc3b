// Shows the build that is chosen in the history. Everything to be shown is in the page already, as markup that kiln wrote and escaped:
// nothing is fetched. It is parsed apart from the page, where scripts do not run, and the page's policy lets none run that come in with it.
"use strict";

const chosen = document.getElementById("chosen");
const choose = document.getElementById("choose");
const detail = document.getElementById("detail");
const said = document.getElementById("said");
const marks = [...document.querySelectorAll("svg a[data-build]")];
const markOf = new Map(marks.map((mark) => [Number(mark.dataset.build), mark]));

function show(number, focus) {
  const source = document.getElementById(`build-${number}`);
  if (!source || !chosen) return;
  const before = markOf.get(Number(chosen.dataset.number));
  const parsed = new DOMParser().parseFromString(source.textContent, "text/html");
  chosen.replaceChildren(...parsed.body.childNodes);
  chosen.dataset.number = number;
  const mark = markOf.get(number);
  for (const [one, on] of [[before, false], [mark, true]]) {
    one?.setAttribute("tabindex", on ? "0" : "-1");
    one?.setAttribute("aria-current", String(on));
  }
  choose.value = String(number);
  tell(mark);
  said.textContent = `Showing ${mark?.querySelector("title").textContent ?? "the build"}`;
  history.replaceState(null, "", `#build-${number}`);
  if (focus) mark?.focus();
}

function tell(mark) {
  if (mark && detail) detail.textContent = mark.querySelector("title").textContent;
}

function move(by, focus) {
  const next = Number(chosen.dataset.number) + by;
  if (markOf.has(next)) show(next, focus);
}

if (chosen) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-build]");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    show(Number(link.dataset.build), false);
    if (!link.closest("svg")) document.getElementById("h-build").scrollIntoView();
  });
  for (const plot of document.querySelectorAll(".lanes")) {
    plot.addEventListener("pointerover", (event) => tell(event.target.closest("a[data-build]")));
    plot.addEventListener("pointerleave", () => tell(markOf.get(Number(chosen.dataset.number))));
    plot.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by === undefined || !event.target.closest("a[data-build]")) return;
      event.preventDefault();
      move(by, true);
    });
  }
  choose.addEventListener("change", () => show(Number(choose.value), false));
  document.getElementById("earlier").addEventListener("click", () => move(-1, false));
  document.getElementById("later").addEventListener("click", () => move(1, false));
  const asked = () => {
    const number = /^#build-(\d+)$/.exec(location.hash);
    if (number) show(Number(number[1]), false);
  };
  window.addEventListener("hashchange", asked);
  asked();
  tell(markOf.get(Number(chosen.dataset.number)));
}
document.documentElement.dataset.ready = "true";
