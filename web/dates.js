// Dates, durations and sizes in the language of the page and the time zone of the browser.

import { locale, t } from "./language.js";

const format = (options) => new Intl.DateTimeFormat(locale, options);
const short = format({ dateStyle: "medium", timeStyle: "short" });
const long = format({ dateStyle: "full", timeStyle: "short" });
const timeOnly = format({ timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const two = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2, useGrouping: false });
const plain = new Intl.NumberFormat(locale, { useGrouping: false });
const unit = (name, digits = 0) =>
  new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: "long", maximumFractionDigits: digits });
const HOURS = unit("hour");
const MINUTES = unit("minute");
const SECONDS = unit("second");
const SIZES = ["kilobyte", "megabyte", "gigabyte"].map(
  (name) =>
    new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: "short", maximumSignificantDigits: 2 }),
);

/** Return a moment as date and time: "today, 10:14" within two days, else the date. */
export function moment(iso) {
  if (!iso) return "";
  const date = new Date(iso);
  const days = Math.round((midnight(date) - midnight(new Date())) / 86400000);
  if (days !== 0 && days !== -1) return short.format(date);
  const word = relative.format(days, "day");
  return t("date.near", { day: word[0].toLocaleUpperCase(locale) + word.slice(1), time: timeOnly.format(date) });
}

/** Return a moment as date and time, without words such as "today". */
export function exact(iso) {
  return iso ? short.format(new Date(iso)) : "";
}

/** Return a moment in full, with the day of the week. */
export function full(iso) {
  return iso ? long.format(new Date(iso)) : "";
}

/** Return the time of day of a moment. */
export function timeOfDay(iso) {
  return iso ? timeOnly.format(new Date(iso)) : "";
}

/** Return the local day `days` before today as YYYY-MM-DD. */
export function daysAgo(days) {
  const date = new Date();
  date.setDate(date.getDate() - days);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()]
    .map((part) => String(part).padStart(2, "0"))
    .join("-");
}

/** Return the first moment of a local day (YYYY-MM-DD), `after` days later, in UTC. */
export function startOfDay(text, after = 0) {
  const [year, month, date] = text.split("-").map(Number);
  return new Date(year, month - 1, date + after).toISOString();
}

/** Return seconds as 12:20 or 1:02:03. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours
    ? `${plain.format(hours)}:${two.format(minutes)}:${two.format(rest)}`
    : `${plain.format(minutes)}:${two.format(rest)}`;
}

/** Return seconds in words for a screen reader: "12 minutes 20 seconds". */
export function spoken(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const parts = [
    [Math.floor(whole / 3600), HOURS],
    [Math.floor(whole / 60) % 60, MINUTES],
    [whole % 60, SECONDS],
  ];
  const named = parts.filter(([count]) => count).map(([count, unitFormat]) => unitFormat.format(count));
  return named.join(" ") || SECONDS.format(0);
}

/** Return a size in bytes in the largest fitting unit. */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  const power = bytes < 1e6 ? 1 : bytes < 1e9 ? 2 : 3;
  return SIZES[power - 1].format(bytes / 1000 ** power);
}

/** Return a percentage of 0 to 1. */
export function percent(share) {
  return new Intl.NumberFormat(locale, { style: "percent" }).format(share);
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
