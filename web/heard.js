// Which seconds were played. They are reported when the sound pauses or ends, and when the page is hidden or left.

import { listed, merged, rounded } from "./ranges.js";

// A page that is left is hidden, too. What was played between these two is no report of its own.
const LEAST = 0.25;

export class Heard {
  /** `report` is called with all ranges that were played since the page was opened, whenever there are more. */
  constructor(audio, report) {
    this.audio = audio;
    this.send = report;
    this.before = [];
    this.reported = 0;
    const hidden = () => document.visibilityState === "hidden" && this.report();
    const now = () => this.report();
    this.stop = new AbortController();
    const { signal } = this.stop;
    for (const name of ["pause", "ended"]) audio.addEventListener(name, now, { signal });
    document.addEventListener("visibilitychange", hidden, { signal });
    addEventListener("pagehide", now, { signal });
  }

  /** Keep what was played before the element loads again and forgets it. */
  keep() {
    this.before = merged([...this.before, ...listed(this.audio.played)]);
  }

  /** Report the played seconds, if there are more than were reported. */
  report() {
    const ranges = rounded([...this.before, ...listed(this.audio.played)]);
    const total = ranges.reduce((sum, [from, to]) => sum + to - from, 0);
    if (total < this.reported + LEAST) return;
    this.reported = total;
    this.send(ranges);
  }

  /** Report for the last time. */
  close() {
    this.report();
    this.stop.abort();
  }
}
