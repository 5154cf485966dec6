// Events of the audit in words.

import { clock, exact } from "./dates.js";
import { h } from "./dom.js";
import { plural, t, tOr } from "./language.js";

const DAYS = ["from", "to"];
// The text of these events is the version of the accepted terms.
const ACCEPTED = ["ShareOpened", "TermsAccepted"];

/** Return what happened, in words. */
export function kindOf(event) {
  if (event.kind === "RecordingPlayed") return t(event.seconds ? "kind.RecordingPlayed" : "kind.RecordingPlayAsked");
  return tOr(`kind.${event.kind}`, event.kind);
}

/** Return the details of an event as short lines. */
export function detailsOf(event) {
  const lines = [];
  if (event.reason) lines.push(t("trail.reason", { reason: event.reason }));
  if (event.text) lines.push(ACCEPTED.includes(event.kind) ? t("trail.terms", { version: event.text }) : event.text);
  if (event.seconds) lines.push(played(event.seconds));
  if (event.code) lines.push(tOr(`code.${event.code}`, event.code));
  if (event.filters && Object.keys(event.filters).length)
    lines.push(t("trail.filters", { filters: filtersOf(event.filters) }));
  if (event.external) lines.push(t(event.share ? "trail.outside" : "trail.external"));
  return h(
    "ul",
    { class: "lines" },
    lines.map((line) => h("li", null, line)),
  );
}

/** Return an event's time. */
export function timeOf(event) {
  return h("time", { datetime: event.time }, exact(event.time));
}

function played(ranges) {
  const total = ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  const shown = ranges
    .slice(0, 4)
    .map(([from, to]) => `${clock(from)}–${clock(to)}`)
    .join(", ");
  const more = ranges.length > 4 ? ", …" : "";
  return t("trail.played", { total: clock(total), ranges: shown + more, parts: plural("trail.parts", ranges.length) });
}

/** Return the filters of a search. A phone number is recorded as a hash, which says nothing to a reader. */
function filtersOf(filters) {
  const shown = ([name, value]) => {
    const text =
      name === "caller" ? "" : ` ${DAYS.includes(name) && !Number.isNaN(Date.parse(value)) ? exact(value) : value}`;
    return tOr(`filter.${name}`, name) + text;
  };
  return Object.entries(filters).map(shown).join(", ");
}
