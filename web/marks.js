// What is special about a call, as marks with an icon and a word, and who spoke with whom.

import { h, icon } from "./dom.js";
import { clock, spoken } from "./dates.js";
import { t } from "./language.js";

const AUDIO = /\.(wav|mp3)(\.(p7m|pgp))?$/i;
const ENVELOPE = /\.(p7m|pgp)$/i;
const TYPES = { wav: "audio/wav", mp3: "audio/mpeg" };

/** Return the recordings in the archive, which the page can play or open. */
export function recordings(card) {
  return (card.files ?? []).filter((file) => file.destination === "archive" && AUDIO.test(file.key) && file.sealed);
}

export const isSealed = (file) => file.sealed && file.sealed !== "none";
export const fileName = (file) => file.key.split("/").at(-1);
export const plainName = (file) => fileName(file).replace(ENVELOPE, "");
export const mediaType = (file) => TYPES[plainName(file).split(".").at(-1).toLowerCase()] ?? "audio/wav";

/** Return the marks of a call. */
export function marks(card) {
  const flags = card.flags ?? {};
  const kept = recordings(card);
  const names = [
    flags.restricted && "restricted",
    flags.sensitive && "sensitive",
    kept.length > 0 && kept.every(isSealed) && "sealed",
    (flags.denied || card.policy?.denied) && "denied",
    card.holds?.length > 0 && "held",
    card.erasure_pending && "erasing",
  ].filter(Boolean);
  return names.map((name) =>
    h("span", { class: `mark ${name}`, title: t(`mark.${name}.text`) }, icon(name), t(`mark.${name}`)),
  );
}

/** Return a fact of a call, or why it is not shown. */
export function fact(card, name) {
  if (card[name]) return h("span", { class: "fact" }, card[name]);
  const hidden = card.blind?.includes(name);
  return h(
    "span",
    { class: "absent", title: hidden ? t("fact.hidden.text") : null },
    t(hidden ? "fact.hidden" : "fact.unknown"),
  );
}

/** Return who called whom, with the direction in words for a screen reader. A side that is not known is left out. */
export function parties(card) {
  const direction = card.direction ?? "unknown";
  const way = t(`direction.${direction}`);
  const isKnown = (name) => card[name] || card.blind?.includes(name);
  const arrow = h("span", { class: "arrow", title: way }, icon(direction), h("span", { class: "unseen" }, `${way}: `));
  const to = [h("span", { "aria-hidden": "true" }, " → "), h("span", { class: "unseen" }, ` ${t("parties.to")} `)];
  const callee = isKnown("callee") && [isKnown("caller") || direction === "outgoing" ? to : null, fact(card, "callee")];
  return h("span", { class: "between" }, arrow, isKnown("caller") || !callee ? fact(card, "caller") : null, callee);
}

/** Return the length of a call, in words for a screen reader. */
export function lengthOf(card) {
  if (card.seconds === null || card.seconds === undefined) return h("span", { class: "absent" }, t("fact.unknown"));
  return [
    h("span", { class: "digits", "aria-hidden": "true" }, clock(card.seconds)),
    h("span", { class: "unseen" }, spoken(card.seconds)),
  ];
}
