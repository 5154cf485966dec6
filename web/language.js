// The language of the page: the first of navigator.languages that the table of texts has, else English.

import { TEXTS } from "./texts.js";

const COLUMNS = { en: 0, nb: 1, de: 2 };
const NORWEGIAN = new Set(["nb", "no", "nn"]);

/** Return the language of the texts and the locale of numbers and dates for a list of language tags. */
export function choose(tags) {
  for (const tag of tags) {
    const primary = tag.toLowerCase().split("-")[0];
    const language = NORWEGIAN.has(primary) ? "nb" : primary;
    if (language in COLUMNS) return { language, locale: language === "nb" ? "nb-NO" : tag };
  }
  return { language: "en", locale: "en-GB" };
}

export const { language, locale } = choose(navigator.languages?.length ? navigator.languages : [navigator.language]);

const plurals = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);

/** Return a text of the table, with `{name}` replaced by the value of that name. */
export function t(key, values = {}) {
  const text = TEXTS[key]?.[COLUMNS[language]];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return typeof value === "number" ? numbers.format(value) : (value ?? whole);
  });
}

/** Return a text of the table, or `other` if the table does not have it. */
export function tOr(key, other) {
  return key in TEXTS ? t(key) : other;
}

/** Return whether the table has a text. */
export function has(key) {
  return key in TEXTS;
}

/** Return the text `<key>.one` or `<key>.other`, whichever the number asks for in this language. */
export function plural(key, count, values = {}) {
  const form = plurals.select(count) === "one" ? "one" : "other";
  return t(`${key}.${form}`, { count, ...values });
}
