// Events of the audit in words.

import { clock, exact } from "./dates.js";
import { h } from "./dom.js";
import { plural, t, tOr } from "./language.js";

/** Return what happened, in words. */
export function kindOf(event) {
  if (event.kind === "RecordingPlayed") return t(event.seconds ? "kind.RecordingPlayed" : "kind.RecordingPlayAsked");
  return tOr(`kind.${event.kind}`, event.kind);
}

/** Return the details of an event as short lines. */
export function detailsOf(event) {
  const lines = [];
  if (event.reason) lines.push(t("trail.reason", { reason: event.reason }));
  if (event.text) lines.push(event.text);
  if (event.seconds) lines.push(played(event.seconds));
  if (event.code) lines.push(tOr(`code.${event.code}`, event.code));
  if (event.filters) lines.push(t("trail.filters", { filters: filtersOf(event.filters) }));
  if (event.external) lines.push(t("trail.external"));
  return h("ul", { class: "lines" }, lines.map((line) => h("li", null, line)));
}

/** Return an event's time. */
export function timeOf(event) {
  return h("time", { datetime: event.time }, exact(event.time));
}

function played(ranges) {
  const total = ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  const shown = ranges.slice(0, 4).map(([from, to]) => `${clock(from)}–${clock(to)}`).join(", ");
  const more = ranges.length > 4 ? ", …" : "";
  return t("trail.played", { total: clock(total), ranges: shown + more, parts: plural("trail.parts", ranges.length) });
}

function filtersOf(filters) {
  const names = Array.isArray(filters) ? filters : Object.keys(filters);
  return names.map((name) => tOr(`filter.${name}`, name)).join(", ");
}
