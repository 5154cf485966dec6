// The reason for an access: one field for everything that is done with a call on its page.

import { field, fill, h } from "./dom.js";
import { t } from "./language.js";
import { onForget } from "./session.js";

const SUGGESTED = ["quality", "complaint", "agreement", "training", "request"];
const RECENT = 3;
let recent = [];
onForget(() => (recent = []));

/** The action needs a reason, and the field is empty. The field shows it. */
class ReasonMissing extends Error {
  constructor() {
    super("ReasonMissing");
    this.name = "AbortError";
  }
}

export class ReasonField {
  /** `actions` are those that need a reason. `enter` is called if the user presses Enter in the field. */
  constructor(actions, enter) {
    this.actions = new Set(actions);
    this.reason = h("input", { type: "text", test: "reason", maxlength: 200, autocomplete: "off", required: true });
    this.text = h("input", { type: "text", test: "reason-text", maxlength: 2000, autocomplete: "off" });
    this.missing = h("p", { class: "missing", id: "reason-missing", hidden: true }, t("reason.missing"));
    this.chips = h("div", { class: "chips" });
    this.element = h(
      "form",
      { class: "reason", hidden: this.actions.size === 0, novalidate: true, "aria-label": t("reason.title") },
      h("div", { class: "fields" }, field(t("reason.reason"), this.reason), field(t("reason.text"), this.text)),
      this.missing,
      this.chips,
    );
    this.reason.setAttribute("aria-describedby", this.missing.id);
    this.reason.addEventListener("input", () => this.#mark(false));
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      (this.pending ?? enter)();
    });
    // An input outside a submit button's form sends nothing by Enter if there are two fields.
    this.element.append(h("button", { type: "submit", class: "unseen", tabindex: -1, "aria-hidden": "true" }));
    this.#suggest();
  }

  /** Return the members of the request for an action, or ask the user for a reason. */
  given(action) {
    if (!this.actions.has(action)) return {};
    const reason = this.reason.value.trim();
    if (!reason) {
      this.demand(action);
      throw new ReasonMissing();
    }
    this.#mark(false);
    recent = [reason, ...recent.filter((each) => each !== reason)].slice(0, RECENT);
    return { reason, text: this.text.value.trim() };
  }

  /** Show the field and move the focus to it. */
  demand(action) {
    this.actions.add(action);
    this.element.hidden = false;
    this.#mark(true);
    this.reason.focus();
  }

  #mark(missing) {
    this.missing.hidden = !missing;
    if (missing) this.reason.setAttribute("aria-invalid", "true");
    else this.reason.removeAttribute("aria-invalid");
  }

  #suggest() {
    const words = [...new Set([...recent, ...SUGGESTED.map((name) => t(`reason.${name}`))])].slice(0, 5);
    const chip = (word) =>
      h(
        "button",
        { type: "button", class: "chip", onclick: () => ((this.reason.value = word), this.#mark(false)) },
        word,
      );
    fill(this.chips, words.map(chip));
  }
}
