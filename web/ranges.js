// Ranges of seconds: which parts were played, and where both sides are silent.

const MOST = 1000;

/** Return ranges `[from, to]` sorted, with those that overlap, or have less than `gap` between them, made one. */
export function merged(ranges, gap = 0.01) {
  const result = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last && from <= last[1] + gap) last[1] = Math.max(last[1], to);
    else if (to > from) result.push([from, to]);
  }
  return result;
}

/** Return the ranges of a TimeRanges object, such as `audio.played`. */
export function listed(times) {
  return Array.from({ length: times.length }, (_, index) => [times.start(index), times.end(index)]);
}

/** Return ranges rounded to hundredths, and no more of them than a report may have. */
export function rounded(ranges) {
  const round = (value) => Math.round(value * 100) / 100;
  let few = merged(ranges);
  for (let gap = 0.1; few.length > MOST; gap *= 2) few = merged(few, gap);
  return few.map(([from, to]) => [round(from), round(to)]).filter(([from, to]) => to > from);
}

/** Return where both rows of peaks (0 to 255) stay below a threshold for at least `least` seconds. */
export function silences({ rows, seconds }, least = 2) {
  const [left, right] = rows;
  const each = seconds / left.length;
  const loudest = left.reduce((most, value, index) => Math.max(most, value, right[index]), 0);
  const threshold = Math.max(3, loudest * 0.04);
  const found = [];
  let from = null;
  for (let index = 0; index <= left.length; index += 1) {
    const quiet = index < left.length && left[index] < threshold && right[index] < threshold;
    if (quiet) from ??= index;
    else if (from !== null) {
      if ((index - from) * each >= least) found.push([from * each, index * each]);
      from = null;
    }
  }
  return found;
}
