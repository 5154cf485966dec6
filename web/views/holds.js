// Holds: what they protect and who placed them. Two people are needed to release one.

import * as api from "../api.js";
import { Cases, factList, personAt, stateMark, Watch } from "../cases.js";
import { exact, moment, startOfDay } from "../dates.js";
import { field, h, icon } from "../dom.js";
import { holdButton, holdFields } from "../hold-form.js";
import { plural, t } from "../language.js";
import { announce, guarded, sayProblem } from "../problems.js";

const ICONS = { placing: "loop", held: "held", release_asked: "person", releasing: "loop", released: "check" };
const UNDER_WAY = ["placing", "releasing"];
const SCOPE = ["caller", "queue", "agent", "from", "to"];
const SHOWN_CALLS = 5;

export async function holds({ me }) {
  const view = new HoldsView(me);
  await view.refresh();
  return {
    title: t("holds.title"),
    element: view.element,
    shown: () => view.watch.start(),
    leave: () => view.watch.stop(),
  };
}

class HoldsView {
  constructor(me) {
    this.me = me;
    this.cases = new Cases(
      (hold) => hold.name,
      (hold) => this.#draw(hold),
      t("holds.none"),
    );
    this.watch = new Watch(
      () => this.refresh(),
      () => this.cases.element,
    );
    const lead = h("p", { class: "lead" }, t("holds.text"));
    this.element = h("div", null, h("h1", null, t("holds.title")), lead, this.#form(), this.cases.element);
  }

  /** Show the holds as they are now. Return whether one of them is under way. */
  async refresh() {
    const { holds: all } = await api.holds();
    const isOver = (hold) => hold.state === "released";
    all.sort((a, b) => isOver(a) - isOver(b) || b.placed_at.localeCompare(a.placed_at));
    this.#say(all);
    this.cases.show(all);
    return all.some((hold) => UNDER_WAY.includes(hold.state));
  }

  /** Announce the holds that have reached their state since they were shown. */
  #say(all) {
    const before = this.states ?? new Map();
    const changed = all.filter((hold) => UNDER_WAY.includes(before.get(hold.name)) && before.get(hold.name) !== hold.state);
    this.states = new Map(all.map((hold) => [hold.name, hold.state]));
    if (changed.length) announce(changed.map((hold) => `${hold.name}: ${t(`hold.state.${hold.state}`)}`).join(", "));
  }

  #form() {
    const fields = holdFields();
    const input = (name, type, props) =>
      h("input", { name, type, test: `hold-${name}`, autocomplete: "off", spellcheck: "false", maxlength: 200, ...props });
    const future = h("input", { type: "checkbox", test: "hold-future", id: "hold-future" });
    const scope = h(
      "fieldset",
      null,
      h("legend", null, t("holds.scope")),
      h("p", { class: "hint" }, t("holds.scopeText")),
      h(
        "div",
        { class: "fields" },
        field(t("search.caller"), input("caller", "text", { inputmode: "tel", placeholder: "+47 …" })),
        field(t("search.queue"), input("queue", "text")),
        field(t("search.agent"), input("agent", "text", { inputmode: "email" })),
        field(t("search.from"), input("from", "date")),
        field(t("search.to"), input("to", "date")),
      ),
      h("label", { class: "check", for: "hold-future" }, future, h("span", null, t("holds.future"))),
    );
    const form = h(
      "form",
      { class: "card case-form", "aria-labelledby": "hold-title" },
      h("h2", { id: "hold-title" }, t("hold.title")),
      h("div", { class: "fields" }, fields.elements),
      scope,
      h("div", { class: "row" }, holdButton()),
    );
    const place = async () => {
      const data = new FormData(form);
      const asked = Object.fromEntries(SCOPE.map((name) => [name, data.get(name).trim()]));
      if (!SCOPE.some((name) => asked[name])) return this.#noScope(form);
      if (asked.from) asked.from = startOfDay(asked.from);
      if (asked.to) asked.to = startOfDay(asked.to, 1);
      const placed = await api.placeHold({ ...fields.read(), ...asked, future: future.checked });
      form.reset();
      await this.#done(placed.name, t("hold.placing", { name: placed.name }));
    };
    form.addEventListener("submit", guarded(place, () => form));
    return form;
  }

  #noScope(form) {
    sayProblem(t("holds.noScope"), form);
    form.elements.caller.focus();
  }

  async #done(name, text) {
    announce(text);
    await this.refresh();
    this.cases.focus(name);
    this.watch.start();
  }

  #draw(hold) {
    const { scope } = hold;
    const element = h("article", { class: "card case", test: "hold-case", "data-name": hold.name });
    const rows = [
      ["scope", h("ul", null, scopeLines(scope).map((line) => h("li", null, line)))],
      ["placed", personAt(hold.placed_by, hold.placed_at)],
      ["held", hold.held_at && moment(hold.held_at)],
      ["asked", personAt(hold.asked_by, hold.asked_at)],
      ["approved", personAt(hold.approved_by, hold.approved_at)],
      ["released", hold.released_at && moment(hold.released_at)],
      ["gone", hold.gone.length > 0 && plural("holds.gone", hold.gone.length)],
    ];
    element.append(
      h(
        "header",
        null,
        h("h2", null, hold.name),
        stateMark(hold.state, ICONS[hold.state], t(`hold.state.${hold.state}`)),
        h("span", { class: "hint" }, plural("holds.calls", hold.calls)),
      ),
      h("p", null, hold.reason),
      factList(rows, "hold.fact"),
      ...this.#steps(hold, element),
    );
    return element;
  }

  #steps(hold, place) {
    const { name } = hold;
    if (hold.state === "held") {
      const ask = async () => {
        await api.releaseHold(name);
        await this.#done(name, t("hold.releaseAsked", { name }));
      };
      return [this.#step(t("hold.release"), name, { test: "hold-release" }, ask, place)];
    }
    if (hold.state !== "release_asked") return [];
    const approve = async () => {
      await api.approveRelease(name);
      await this.#done(name, t("hold.releasing", { name }));
    };
    const own = hold.asked_by === this.me.user.email;
    const hint = h("p", { class: "hint" }, own ? t("law.ownRequest") : t("hold.approveText"));
    const props = { test: "hold-approve", class: own ? null : "primary" };
    return [hint, this.#step(t("hold.approve"), name, props, approve, place)];
  }

  #step(text, name, props, action, place) {
    const onclick = guarded(action, () => place);
    const of = h("span", { class: "unseen" }, `: ${name}`);
    return h("div", { class: "row" }, h("button", { type: "button", ...props, onclick }, icon("unsealed"), text, of));
  }
}

function scopeLines(scope) {
  const hidden = t("fact.hidden");
  const value = (name, text) => text && t(`hold.scope.${name}`, { value: scope.blind && text !== "*" ? hidden : text });
  const time = (name, moment) => moment && t(`hold.scope.${name}`, { value: exact(moment) });
  const links = scope.calls
    .slice(0, SHOWN_CALLS)
    .flatMap((id, index) => [index > 0 && ", ", h("a", { href: `/calls/${id}` }, h("code", null, id.slice(0, 8)))]);
  const more = scope.calls.length - SHOWN_CALLS;
  return [
    links.length > 0 && [t("hold.scope.calls"), " ", links, more > 0 && `, ${plural("law.more", more)}`],
    value("party", scope.party),
    value("queue", scope.queue),
    value("agent", scope.agent),
    time("from", scope.from),
    time("to", scope.to),
    scope.future && t("hold.scope.future"),
  ].filter(Boolean);
}
