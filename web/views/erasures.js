// Erasures on request: what one would delete, the approval by a second person, and what became of each file.

import * as api from "../api.js";
import { Cases, Watch } from "../cases.js";
import { field, h, icon } from "../dom.js";
import { erasureCase } from "../erasure-case.js";
import { t } from "../language.js";
import { announce, guarded, sayProblem } from "../problems.js";

const PAGE = 20;

export async function erasures({ me, params }) {
  const view = new ErasuresView(me, params.get("call") ?? "");
  await view.refresh();
  return {
    title: t("erasures.title"),
    element: view.element,
    shown: () => view.watch.start(),
    leave: () => view.watch.stop(),
  };
}

class ErasuresView {
  constructor(me, call) {
    Object.assign(this, { me, shown: PAGE, reports: new Map() });
    this.cases = new Cases(
      (report) => report.request,
      (report) => erasureCase(report, me, { approve: (each) => this.#approve(each), save }),
      t("erasures.none"),
    );
    this.watch = new Watch(
      () => this.refresh(),
      () => this.cases.element,
    );
    const showMore = guarded(
      async () => {
        this.shown += PAGE;
        await this.refresh();
      },
      () => this.cases.element,
    );
    this.more = h("button", { type: "button", test: "more", onclick: showMore }, icon("down"), t("search.more"));
    const lead = h("p", { class: "lead" }, t("erasures.text"));
    const foot = h("div", { class: "foot" }, this.more);
    this.element = h("div", null, h("h1", null, t("erasures.title")), lead, this.#form(call), this.cases.element, foot);
  }

  /** Show the requests as they are now. Return whether one of them is under way. */
  async refresh() {
    const { erasures: all } = await api.erasures();
    const isOpen = (each) => each.state !== "done";
    all.sort((a, b) => isOpen(b) - isOpen(a));
    this.more.parentElement.hidden = all.length <= this.shown;
    const reports = await Promise.all(all.slice(0, this.shown).map((each) => this.#report(each)));
    this.#say(reports);
    this.cases.show(reports);
    return reports.some((each) => each.state === "running");
  }

  /** Return a request with its files. Those of a request that has not changed are not asked for again. */
  async #report(summary) {
    const text = JSON.stringify(summary);
    const known = this.reports.get(summary.request);
    if (known?.text === text && summary.state !== "running") return known.report;
    const report = await api.readErasure(summary.request);
    this.reports.set(summary.request, { text, report });
    return report;
  }

  /** Announce the requests that have reached their state since they were shown. */
  #say(reports) {
    const before = this.states ?? new Map();
    const changed = reports.filter((each) => before.get(each.request) === "running" && each.state !== "running");
    this.states = new Map(reports.map((each) => [each.request, each.state]));
    if (changed.length) announce(changed.map((each) => `${each.request}: ${t(`erasure.state.${each.state}`)}`).join(", "));
  }

  #form(call) {
    const input = (name, props) =>
      h("input", { type: "text", test: `erasure-${name}`, autocomplete: "off", maxlength: 200, spellcheck: "false", ...props });
    const caller = input("caller", { inputmode: "tel", placeholder: "+47 …" });
    const id = input("call", { value: call });
    const basis = input("basis", { maxlength: 500, required: true });
    const anonymise = h("input", { type: "checkbox", test: "erasure-anonymise", id: "anonymise" });
    const form = h(
      "form",
      { class: "card case-form", "aria-labelledby": "erasure-title" },
      h("h2", { id: "erasure-title" }, t("erasures.start")),
      h(
        "div",
        { class: "fields" },
        field(t("erasures.caller"), caller, { hint: t("erasures.callerHint") }),
        field(t("erasures.call"), id, { hint: t("erasures.callHint") }),
        field(t("erasures.basis"), basis, { hint: t("erasures.basisHint") }),
      ),
      h("label", { class: "check", for: "anonymise" }, anonymise, h("span", null, t("erasures.anonymise"))),
      h(
        "div",
        { class: "row" },
        h("button", { type: "submit", class: "primary", test: "erasure-start" }, icon("search"), t("erasures.show")),
        h("span", { class: "hint" }, t("erasures.nothingYet")),
      ),
    );
    const start = async () => {
      const asked = { caller: caller.value.trim(), call: id.value.trim() };
      if (Boolean(asked.caller) === Boolean(asked.call)) {
        sayProblem(t("erasures.oneOf"), form);
        return caller.focus();
      }
      await this.#start({ ...asked, basis: basis.value.trim(), anonymise: anonymise.checked }, form);
    };
    form.addEventListener("submit", guarded(start, () => form));
    return form;
  }

  async #start(members, form) {
    try {
      const report = await api.startErasure(members);
      form.reset();
      await this.#done(report.request, t("erasures.started"));
    } catch (error) {
      if (error.code !== "NotFound") throw error;
      sayProblem(t("erasures.nothing"), form);
    }
  }

  async #approve(report) {
    await api.approveErasure(report.request);
    await this.#done(report.request, t("erasures.approved"));
  }

  async #done(request, text) {
    announce(text);
    await this.refresh();
    this.cases.focus(request);
    this.watch.start();
  }
}

/** Save the certificate of a request, or the signature over its bytes. */
async function save(report, part) {
  const response = await api.certificate(report.request);
  const name = `erasure-${report.request}.json`;
  if (part === "certificate") return download(`application/json,${encodeURIComponent(await response.text())}`, name);
  download(`application/octet-stream;base64,${response.headers.get("x-callseal-signature")}`, `${name}.sig`);
}

const download = (data, name) => h("a", { href: `data:${data}`, download: name }).click();
