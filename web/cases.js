// What the views of holds and of erasures share: a list that changes in place, people with dates, and the state's mark.

import { moment } from "./dates.js";
import { focusOn, h, icon } from "./dom.js";
import { t } from "./language.js";
import { guarded } from "./problems.js";

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 15000;

/** A list of cases. An entry is drawn anew only if its case has changed, so the focus stays where it is. */
export class Cases {
  /** `keyOf(each)` names a case, and `draw(each)` returns its element, which has a heading. */
  constructor(keyOf, draw, none) {
    Object.assign(this, { keyOf, draw, shown: new Map() });
    this.none = h("p", { class: "card empty" }, none);
    this.list = h("ul", { class: "cases" });
    this.element = h("div", { class: "all-cases" }, this.none, this.list);
  }

  show(cases) {
    const before = this.shown;
    this.shown = new Map(cases.map((each) => [this.keyOf(each), this.#entry(each, before.get(this.keyOf(each)))]));
    let next = this.list.firstElementChild;
    for (const { item } of this.shown.values()) {
      if (item === next) next = next.nextElementSibling;
      else this.list.insertBefore(item, next);
    }
    while (this.list.children.length > this.shown.size) this.list.lastElementChild.remove();
    this.none.hidden = cases.length > 0;
  }

  /** Move the focus to the heading of a case. */
  focus(key) {
    const item = this.shown.get(key)?.item;
    if (!item) return;
    focusOn(item.querySelector("h2"));
    item.scrollIntoView({ block: "nearest" });
  }

  #entry(each, old) {
    const text = JSON.stringify(each);
    if (old?.text === text) return old;
    const item = h("li", null, this.draw(each));
    if (!old) return { text, item };
    const hadFocus = old.item.contains(document.activeElement);
    const wasOpen = old.item.querySelector("details")?.open;
    old.item.replaceWith(item);
    if (wasOpen && item.querySelector("details")) item.querySelector("details").open = true;
    if (hadFocus) focusOn(item.querySelector("h2"));
    return { text, item };
  }
}

/** Refreshes a view while something in it is under way. */
export class Watch {
  /** `refresh()` returns a promise of whether something is still under way. */
  constructor(refresh, place) {
    this.run = guarded(async () => {
      if ((await refresh()) && !this.stopped) this.#later();
    }, place);
  }

  /** Begin anew, because something was set going. */
  start() {
    clearTimeout(this.timer);
    this.wait = FIRST_WAIT;
    this.#later();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  #later() {
    this.timer = setTimeout(this.run, this.wait);
    this.wait = Math.min(this.wait * 1.3, LONGEST_WAIT);
  }
}

/** Return a person and a moment: "kari@acme.example · Today, 10:14". */
export function personAt(person, time) {
  if (!person && !time) return null;
  return [person, person && time && " · ", time && h("time", { datetime: time }, moment(time))];
}

/** Return a state as a mark with an icon. */
export function stateMark(state, name, text) {
  return h("span", { class: `mark state ${state}`, test: "state", "data-state": state }, icon(name), text);
}

/** Return facts as a list of terms. Facts without a value are left out. */
export function factList(rows, group) {
  const shown = rows.filter(([, value]) => value);
  return h(
    "dl",
    { class: "facts" },
    shown.map(([name, value]) => h("div", null, h("dt", null, t(`${group}.${name}`)), h("dd", null, value))),
  );
}
