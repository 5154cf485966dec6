// Search: the filters live in the address, the calls come newest first, page by page.

import * as api from "../api.js";
import { daysAgo, exact, moment, startOfDay } from "../dates.js";
import { field, fill, h, icon } from "../dom.js";
import { plural, t } from "../language.js";
import { fact, lengthOf, marks, parties } from "../marks.js";
import { announce, guarded, showProblem } from "../problems.js";
import { keepResults, keptResults, remember } from "../results.js";
import { go } from "../router.js";

const DAY = /^\d{4}-\d\d-\d\d$/;
const DAYS = 31;
const FILTERS = ["caller", "from", "to", "agent", "queue", "session", "min_seconds", "max_seconds"];
const RANGES = [
  ["today", 0, 0],
  ["yesterday", 1, 1],
  ["week", 6, 0],
  ["month", DAYS - 1, 0],
];

/** Return the view of a search. A search that the page still has is shown as it was left, if the user came back to it. */
export async function search({ params, back, me }) {
  const query = location.search;
  const filters = Object.fromEntries([...params].filter(([name]) => FILTERS.includes(name)));
  if (!me.may.includes("search")) return refused();
  const kept = keptResults(query);
  const found = back && kept ? kept : await read(filters, query);
  const list = results(found, filters);
  return {
    title: t("search.title"),
    element: h("div", { class: "search" }, h("h1", null, t("search.title")), form(filters), list.element),
    shown: list.shown,
    scroll: back ? found.scroll : 0,
    focus: () => back && found.opened && document.querySelector(`[data-id="${CSS.escape(found.opened)}"]`),
  };
}

async function read(filters, query) {
  try {
    return keepResults(query, await api.searchCalls(asAsked(filters)));
  } catch (error) {
    // A filter that the archive refuses leaves the form with its values, under the reason.
    if (!["InvalidFilter", "NotAllowed", "Offline", "TooMany", "AuditUnavailable"].includes(error.code)) throw error;
    return { calls: [], error };
  }
}

/** Return the filters with days as the moments at which they begin and end for this user. */
function asAsked(filters) {
  const { from = "", to = "" } = filters;
  const start = DAY.test(from) ? startOfDay(from) : from;
  const end = DAY.test(to) ? startOfDay(to, 1) : to;
  // A range with the end of summer time is an hour longer than its days: these are asked for as days in UTC.
  if (start && end && new Date(end) - new Date(start) > DAYS * 86400000) return filters;
  return { ...filters, from: start, to: end };
}

function refused() {
  return {
    title: t("search.title"),
    element: h("div", { class: "narrow card" }, h("h1", null, t("search.title")), h("p", null, t("search.none"))),
  };
}

function form(filters) {
  const input = (name, props) =>
    h("input", { name, test: name, value: filters[name] ?? "", autocomplete: "off", ...props });
  const date = (name) => input(name, { type: DAY.test(filters[name] ?? "") || !filters[name] ? "date" : "text" });
  const seconds = (name) =>
    input(name, { type: "number", min: 0, step: 1, inputmode: "numeric", test: name.replace("_", "-") });
  const more = h(
    "details",
    { class: "more-filters", open: Boolean(filters.min_seconds || filters.max_seconds) },
    h("summary", null, t("search.length")),
    h(
      "div",
      { class: "fields" },
      field(t("search.minSeconds"), seconds("min_seconds")),
      field(t("search.maxSeconds"), seconds("max_seconds")),
    ),
  );
  const element = h(
    "form",
    { role: "search", class: "card filters", "aria-label": t("search.form") },
    h(
      "div",
      { class: "fields" },
      field(t("search.caller"), input("caller", { type: "text", inputmode: "tel", placeholder: "+47 …" }), {
        wide: true,
      }),
      field(t("search.from"), date("from")),
      field(t("search.to"), date("to")),
      field(t("search.agent"), input("agent", { type: "text", inputmode: "email", spellcheck: "false" })),
      field(t("search.queue"), input("queue", { type: "text", spellcheck: "false" })),
      field(t("search.session"), input("session", { type: "text", spellcheck: "false" })),
    ),
    more,
    h(
      "div",
      { class: "row" },
      h("button", { type: "submit", class: "primary", test: "search" }, icon("search"), t("search.button")),
      ranges(filters),
    ),
  );
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    go(address(Object.fromEntries(new FormData(element))));
  });
  return element;
}

function address(filters) {
  const given = FILTERS.map((name) => [name, (filters[name] ?? "").trim()]).filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  return query ? `/?${query}` : "/";
}

function ranges(filters) {
  const links = RANGES.map(([name, first, last]) => {
    const range = { from: daysAgo(first), to: daysAgo(last) };
    const here = filters.from === range.from && filters.to === range.to;
    return h(
      "a",
      { href: address({ ...filters, ...range }), class: "chip", "aria-current": here ? "true" : null },
      t(`search.${name}`),
    );
  });
  const clear = Object.keys(filters).length > 0 && h("a", { href: "/", class: "chip quiet" }, t("search.clear"));
  return h("div", { class: "chips" }, links, clear);
}

function results(found, filters) {
  const body = h("tbody", { role: "rowgroup" });
  const count = h("p", { class: "count", tabindex: -1 });
  const foot = h("div", { class: "foot" });
  const table = h("table", { class: "results", role: "table", "aria-label": t("search.results") }, head(), body);
  const holder = h("section", { "aria-label": t("search.results") }, count, table, foot);
  const update = (calls, focus) => {
    const first = body.rows.length;
    body.append(...calls.map(row));
    table.hidden = found.calls.length === 0;
    count.textContent = summary(found, filters);
    fill(foot, ...further(found, more));
    if (focus) (body.rows[first]?.querySelector("a") ?? foot.querySelector("button") ?? count).focus();
  };
  const more = guarded(
    async () => {
      const page = await api.searchCalls({ ...asAsked(filters), cursor: found.cursor });
      found.calls.push(...page.calls);
      Object.assign(found, { cursor: page.cursor, searched_until: page.searched_until });
      update(page.calls, true);
      announce(
        page.calls.length
          ? plural("search.moreFound", page.calls.length)
          : t("search.noMore", { time: exact(found.searched_until) }),
      );
    },
    () => foot,
  );
  const shown = () => (found.error ? showProblem(found.error, holder) : announce(summary(found, filters)));
  if (!found.error) update(found.calls);
  else table.hidden = true;
  return { element: holder, shown };
}

function summary(found, filters) {
  const { calls, cursor } = found;
  if (!calls.length)
    return cursor ? t("search.emptySoFar") : t(Object.keys(filters).length ? "search.empty" : "search.emptyMonth");
  return plural(cursor ? "search.countMore" : "search.count", calls.length);
}

function further(found, more) {
  const { cursor, searched_until: until } = found;
  return [
    until && h("p", { class: "hint" }, t("search.until", { time: exact(until) })),
    cursor &&
      h(
        "button",
        { type: "button", test: "more", onclick: more },
        icon("down"),
        t(found.calls.length ? "search.more" : "search.further"),
      ),
  ];
}

function head() {
  const names = ["when", "length", "parties", "agent", "queue", "marks"];
  const cells = names.map((name) => h("th", { scope: "col", role: "columnheader", class: name }, t(`column.${name}`)));
  return h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, cells));
}

function row(call) {
  const link = h(
    "a",
    { href: `/calls/${call.id}`, test: "call", "data-id": call.id, onclick: () => remember(call.id) },
    h("time", { datetime: call.started, title: exact(call.started) }, moment(call.started)),
  );
  const cell = (name, ...content) => h("td", { role: "cell", class: name, "data-label": t(`column.${name}`) }, content);
  return h(
    "tr",
    { role: "row" },
    cell("when", link),
    cell("length", lengthOf(call)),
    cell("parties", parties(call)),
    cell("agent", fact(call, "agent")),
    cell("queue", fact(call, "queue")),
    cell("marks", marks(call)),
  );
}
