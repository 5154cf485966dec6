// The parts of a call's view that only show what is known: facts, dates, files, and who listened.

import * as api from "./api.js";
import { exact, size } from "./dates.js";
import { fill, h, icon } from "./dom.js";
import { holdCall } from "./hold-form.js";
import { plural, t, tOr } from "./language.js";
import { fact, fileName, isSealed, lengthOf } from "./marks.js";
import { guarded } from "./problems.js";
import { detailsOf, kindOf, timeOf } from "./trail.js";

/** Return what is known of a call. */
export function facts(card) {
  const yes = (value) => t(value ? "yes" : "no");
  const flags = card.flags ?? {};
  const rows = [
    ["started", h("time", { datetime: card.started }, exact(card.started))],
    ["ended", card.ended && exact(card.ended)],
    ["length", lengthOf(card)],
    ["direction", t(`direction.${card.direction ?? "unknown"}`)],
    ["caller", fact(card, "caller")],
    ["callee", fact(card, "callee")],
    ["agent", fact(card, "agent")],
    ["queue", fact(card, "queue")],
    ["session", card.session_id && h("code", null, card.session_id)],
    ["name", card.name && h("code", null, card.name)],
    ["consent", flags.consent && tOr(`consent.${flags.consent}`, flags.consent)],
    ["informed", yes(flags.informed)],
    ["paused", yes(flags.paused)],
    ["agentAccepted", yes(flags.agent_accepted)],
  ];
  return section("call.facts", list(rows, "fact"));
}

/** Return what keeps a call from being deleted or opened, as notices. */
export function notices(card) {
  const notice = (name, text) => h("p", { class: "notice", test: `notice-${name}` }, icon(name), h("span", null, text));
  return [
    card.holds?.length > 0 && notice("held", plural("call.held", card.holds.length, { names: card.holds.join(", ") })),
    card.erasure_pending && notice("erasing", t("call.erasing")),
  ];
}

/** Return how long a call is kept, and why, with what the user may do about it. */
export function dates(card, may) {
  const rows = [
    ["class", card.class],
    ["keepUntil", card.keep_until && exact(card.keep_until)],
    ["disposeOn", card.dispose_on && exact(card.dispose_on)],
    ["rule", card.policy?.rule],
    ["holds", card.holds?.join(", ")],
    ["indexed", card.indexed && t(`indexed.${card.indexed}`)],
  ];
  const hold = may.hold && holdCall(card);
  const erase =
    may.erase &&
    !card.erasure_pending &&
    h("a", { href: `/erasures?call=${card.id}`, class: "step" }, icon("erasing"), t("call.erase"));
  const steps = (hold || erase) && h("div", { class: "row" }, hold && hold.toggle, erase);
  return section("call.dates", list(rows, "date"), steps, hold && hold.panel);
}

/** Return the files of a call. `downloads(file)` returns what downloads a file, or null if this is not offered. */
export function files(card, downloads) {
  const all = card.files ?? [];
  const row = (file) => {
    const load = downloads(file);
    const get =
      load &&
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          "aria-label": t("call.downloadOf", { name: fileName(file) }),
          onclick: load,
        },
        icon("download"),
        t("call.download"),
      );
    return h(
      "li",
      null,
      icon(isSealed(file) ? "sealed" : "file"),
      h("span", { class: "name" }, fileName(file)),
      h(
        "span",
        { class: "hint" },
        [
          tOr(`place.${file.destination}`, file.destination),
          size(file.size),
          t(isSealed(file) ? `form.${file.sealed}` : "form.none"),
          tOr(`file.${file.state}`, file.state),
        ]
          .filter(Boolean)
          .join(" · "),
      ),
      get,
    );
  };
  return section(
    "call.files",
    all.length ? h("ul", { class: "files" }, all.map(row)) : h("p", { class: "empty" }, t("call.noFiles")),
  );
}

/** Return who did what with a call. It is asked for when the user opens it. */
export function trail(card) {
  const place = h("div");
  const details = h(
    "details",
    { class: "card trail", test: "trail" },
    h("summary", null, h("h2", null, t("call.trail"))),
    place,
  );
  const read = guarded(
    async () => {
      const events = await allEvents(card.id);
      const line = (event) =>
        h(
          "li",
          null,
          timeOf(event),
          h("strong", null, kindOf(event)),
          h("span", { class: "user" }, event.user ?? t("trail.outside")),
          detailsOf(event),
        );
      fill(
        place,
        events.length ? h("ol", { class: "events" }, events.map(line)) : h("p", { class: "empty" }, t("trail.none")),
      );
    },
    () => place,
  );
  details.addEventListener("toggle", () => details.open && read());
  return details;
}

async function allEvents(id) {
  const events = [];
  let cursor = null;
  do {
    const page = await api.callAudit(id, cursor);
    events.push(...page.events);
    cursor = page.cursor;
  } while (cursor && events.length < 500);
  return events;
}

function section(key, ...content) {
  return h("section", { class: "card" }, h("h2", null, t(key)), content);
}

function list(rows, group) {
  const shown = rows.filter(([, value]) => value);
  return h(
    "dl",
    { class: "facts" },
    shown.map(([name, value]) => h("div", null, h("dt", null, t(`${group}.${name}`)), h("dd", null, value))),
  );
}
