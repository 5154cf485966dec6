// The last search of this page: its calls, for the way back from a call and for the next call.

import { onForget } from "./session.js";

const AGE = 10 * 60 * 1000;
let last = null;
onForget(() => (last = null));

/** Keep a search. `query` is its part of the address. */
export function keepResults(query, results) {
  last = { query, ...results, kept: Date.now(), scroll: 0, opened: null };
  return last;
}

/** Return the search that was kept for `query`, if it is young. */
export function keptResults(query) {
  return last && last.query === query && Date.now() - last.kept < AGE ? last : null;
}

/** Remember which call was opened from the list, and where the list was. */
export function remember(id) {
  if (last) Object.assign(last, { opened: id, scroll: scrollY });
}

/** Return the address of the last search, and the calls before and after a call in it. */
export function around(id) {
  const index = last ? last.calls.findIndex((call) => call.id === id) : -1;
  if (index < 0) return { list: last ? `/${last.query}` : "/" };
  last.opened = id;
  return { list: `/${last.query}`, newer: last.calls[index - 1]?.id, older: last.calls[index + 1]?.id };
}
