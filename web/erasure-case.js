// One request for erasure as the view of erasures shows it.

import { factList, personAt, stateMark } from "./cases.js";
import { exact } from "./dates.js";
import { h, icon } from "./dom.js";
import { plural, t } from "./language.js";
import { guarded } from "./problems.js";

const ICONS = { requested: "person", running: "loop", partly: "warning", done: "check", refused: "closed" };
const SHOWN_FILES = 100;

/** Return a request's element. `actions.approve(report)` and `actions.save(report, part)` do what the buttons say. */
export function erasureCase(report, me, actions) {
  const { request, state } = report;
  const isOverdue = state !== "done" && new Date(report.due) < new Date();
  const element = h("article", { class: "card case", test: "erasure-case", "data-request": request });
  const rows = [
    ["due", [exact(report.due), isOverdue && " ", isOverdue && h("span", { class: "mark denied" }, t("erasure.overdue"))]],
    ["started", personAt(report.by, report.created)],
    ["approved", personAt(report.approved_by, report.approved)],
    ["finished", report.finished && exact(report.finished)],
    ["noticed", report.noticed && exact(report.noticed)],
    ["notified", report.notified && exact(report.notified)],
    ["after", t(report.anonymise ? "erasure.anonymised" : "erasure.nothingLeft")],
  ];
  element.append(
    h(
      "header",
      null,
      h("h2", null, t("erasure.title", { request })),
      stateMark(state, ICONS[state], t(`erasure.state.${state}`)),
      h("span", { class: "hint" }, plural("holds.calls", report.calls)),
    ),
    h("p", null, report.basis),
    factList(rows, "erasure.fact"),
    counts(report),
    report.files.length > 0 ? files(report) : "",
    coverage(report),
    steps(report, me, element, actions),
  );
  return element;
}

/** Return how many files are in each state, with what the state means. Before the approval: what would be done. */
function counts(report) {
  const isAsked = report.state === "requested";
  const line = ([state, count]) => {
    const key = isAsked && state === "pending" ? "would" : state;
    const ends = report.files.filter((file) => file.state === state && file.until).map((file) => file.until);
    return h(
      "li",
      { "data-state": state, class: state },
      h("strong", null, plural(`erasure.files.${key}`, count)),
      h("span", { class: "hint" }, t(`erasure.means.${key}`, { time: exact(ends.sort().at(-1)) })),
    );
  };
  const lines = Object.entries(report.counts).map(line);
  return h(
    "section",
    { class: "inset counts", test: "counts" },
    h("h3", null, t(isAsked ? "erasure.would" : "erasure.files")),
    lines.length ? h("ul", null, lines) : h("p", { class: "empty" }, t("erasure.noFiles")),
  );
}

function files(report) {
  const names = ["call", "place", "state", "until"];
  const cell = (name, ...content) =>
    h("td", { role: "cell", class: name, "data-label": t(`erasure.column.${name}`) }, content);
  const link = (id) => h("a", { href: `/calls/${id}` }, h("code", null, id.slice(0, 8)));
  const id = (call) => (report.state === "done" ? h("code", null, call.slice(0, 8)) : link(call));
  const row = (file) =>
    h(
      "tr",
      { role: "row" },
      cell("call", id(file.call)),
      cell("place", t(`erasure.place.${file.place}`)),
      cell("state", t(`erasure.file.${file.state}`)),
      cell("until", file.until ? exact(file.until) : ""),
    );
  const more = report.files.length - SHOWN_FILES;
  const head = names.map((name) =>
    h("th", { scope: "col", role: "columnheader", class: name }, t(`erasure.column.${name}`)),
  );
  const label = `${t("call.files")}: ${report.request}`;
  return h(
    "details",
    { class: "more-filters" },
    h("summary", { test: "erasure-files" }, plural("erasure.all", report.files.length)),
    h(
      "table",
      { class: "results plain", role: "table", "aria-label": label },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
      h("tbody", { role: "rowgroup" }, report.files.slice(0, SHOWN_FILES).map(row)),
    ),
    more > 0 && h("p", { class: "hint" }, plural("law.more", more)),
  );
}

function coverage(report) {
  const from = report.coverage_from;
  return h("p", { class: "hint" }, from ? t("erasure.coverage", { time: exact(from) }) : t("erasure.noCoverage"));
}

function steps(report, me, place, actions) {
  const button = (props, name, text, action) => {
    const onclick = guarded(action, () => place);
    const of = h("span", { class: "unseen" }, `: ${report.request}`);
    return h("button", { type: "button", ...props, onclick }, icon(name), text, of);
  };
  if (report.state === "requested") {
    const own = report.by === me.user.email;
    const approve = () => actions.approve(report);
    return h(
      "div",
      { class: "steps-of-case" },
      h("p", { class: "hint" }, own ? t("law.ownRequest") : t("erasure.approveText")),
      h(
        "div",
        { class: "row" },
        button({ test: "erasure-approve", class: own ? null : "primary" }, "erasing", t("erasure.approve"), approve),
      ),
    );
  }
  if (!report.certificates) return h("p", { class: "hint" }, t("erasure.noCertificate"));
  const save = (part) => () => actions.save(report, part);
  return h(
    "div",
    { class: "row" },
    button({ test: "certificate" }, "download", t("erasure.certificate"), save("certificate")),
    button({ test: "signature", class: "quiet" }, "download", t("erasure.signature"), save("signature")),
    h("span", { class: "hint" }, plural("erasure.certificates", report.certificates)),
  );
}
