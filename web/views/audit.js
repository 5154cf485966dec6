// The audit: who did what, with the reason. It outlives the calls.

import * as api from "../api.js";
import { startOfDay } from "../dates.js";
import { field, fill, focusOn, h, icon } from "../dom.js";
import { plural, t } from "../language.js";
import { announce, guarded, showProblem } from "../problems.js";
import { go } from "../router.js";
import { detailsOf, kindOf, timeOf } from "../trail.js";

const FILTERS = ["user", "call", "from", "to"];
const DAY = /^\d{4}-\d\d-\d\d$/;
const HANDLED = ["InvalidFilter", "InvalidCursor", "Offline", "TooMany", "AuditUnavailable", "NotAllowed"];

export async function audit({ params }) {
  const filters = Object.fromEntries([...params].filter(([name]) => FILTERS.includes(name)));
  let [page, problem] = [{ events: [], cursor: null }, null];
  try {
    page = await api.audit(asAsked(filters));
  } catch (error) {
    if (!HANDLED.includes(error.code)) throw error;
    problem = error;
  }
  const list = events(page, filters);
  return {
    title: t("audit.title"),
    element: h("div", null, h("h1", null, t("audit.title")), form(filters), list),
    shown: () => (problem ? showProblem(problem, list) : announce(plural("audit.count", page.events.length))),
  };
}

function asAsked(filters) {
  const { from = "", to = "" } = filters;
  return { ...filters, from: DAY.test(from) ? startOfDay(from) : from, to: DAY.test(to) ? startOfDay(to, 1) : to };
}

function form(filters) {
  const input = (name, type) =>
    h("input", { name, value: filters[name] ?? "", type, autocomplete: "off", spellcheck: "false", test: name });
  const element = h(
    "form",
    { class: "card filters audit-filters", role: "search", "aria-label": t("audit.form") },
    h(
      "div",
      { class: "fields" },
      ["user", "call", "from", "to"].map((name, index) =>
        field(t(`audit.${name}`), input(name, index < 2 ? "text" : "date")),
      ),
    ),
    h(
      "div",
      { class: "row" },
      h("button", { type: "submit", class: "primary", test: "search" }, icon("search"), t("audit.button")),
    ),
  );
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = [...new FormData(element)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
    const query = new URLSearchParams(given).toString();
    go(query ? `/audit?${query}` : "/audit");
  });
  return element;
}

function events(page, filters) {
  const body = h("tbody", { role: "rowgroup" });
  const foot = h("div", { class: "foot" });
  const none = h("p", { class: "card empty" }, t("audit.none"));
  const names = ["time", "kind", "user", "call", "details"];
  const table = h(
    "table",
    { class: "results plain audit", role: "table", "aria-label": t("audit.title") },
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        names.map((name) => h("th", { scope: "col", role: "columnheader", class: name }, t(`audit.column.${name}`))),
      ),
    ),
    body,
  );
  const holder = h("section", { "aria-label": t("audit.title") }, none, table, foot);
  const update = (added, cursor) => {
    const first = body.rows.length;
    body.append(...added.map(row));
    none.hidden = body.rows.length > 0;
    table.hidden = body.rows.length === 0;
    const more = guarded(
      async () => {
        const next = await api.audit({ ...asAsked(filters), cursor });
        update(next.events, next.cursor);
        announce(plural("audit.count", next.events.length));
      },
      () => foot,
    );
    if (first) focusOn(body.rows[first] ?? holder);
    fill(foot, cursor && h("button", { type: "button", test: "more", onclick: more }, icon("down"), t("search.more")));
  };
  update(page.events, page.cursor);
  return holder;
}

function row(event) {
  const cell = (name, ...content) =>
    h("td", { role: "cell", class: name, "data-label": t(`audit.column.${name}`) }, content);
  const link =
    event.call &&
    h(
      "a",
      { href: `/calls/${event.call}` },
      h("code", null, event.call.slice(0, 8)),
      h("span", { class: "unseen" }, ` ${t("audit.toCall")}`),
    );
  return h(
    "tr",
    { role: "row" },
    cell("time", timeOf(event)),
    cell("kind", h("strong", null, kindOf(event))),
    cell("user", event.user ?? t("trail.outside")),
    cell("call", link),
    cell("details", detailsOf(event)),
  );
}
