// Sharing a recording with one person outside: the form of a call's page, and the list of shares.

import * as api from "./api.js";
import { exact } from "./dates.js";
import { field, fill, focusOn, h, icon } from "./dom.js";
import { language, t } from "./language.js";
import { announce, guarded } from "./problems.js";

const LANGUAGES = { en: "English", nb: "Norsk", de: "Deutsch" };
const DAYS = 7;

/** Return a label and a date for the state of a share. */
export function stateOf(share) {
  return h(
    "span",
    { class: `mark state ${share.state}` },
    icon(share.state === "active" ? "check" : "closed"),
    t(`share.state.${share.state}`),
  );
}

/** Return the button that cancels a share. `cancelled` is called when it is done. */
export function cancelButton(share, cancelled, place) {
  const label = t("share.cancelOf", { to: share.to });
  const cancel = guarded(async () => {
    await api.cancelShare(share.id);
    announce(t("share.cancelled", { to: share.to }));
    await cancelled();
    // The button is gone.
    focusOn(place());
  }, place);
  return h(
    "button",
    { type: "button", class: "quiet danger", test: "share-cancel", "aria-label": label, onclick: cancel },
    t("share.cancel"),
  );
}

export class ShareForm {
  constructor({ card, file, reason }) {
    Object.assign(this, { card, file, reason });
    this.list = h("ul", { class: "share-list" });
    this.element = h("section", {
      class: "share-panel",
      id: "share-panel",
      hidden: true,
      "aria-labelledby": "share-title",
    });
    this.toggle = h(
      "button",
      {
        type: "button",
        test: "share",
        "aria-expanded": "false",
        "aria-controls": "share-panel",
        onclick: () => this.#toggle(),
      },
      icon("share"),
      t("share.open"),
    );
    this.to = h("input", {
      type: "email",
      test: "share-to",
      required: true,
      autocomplete: "off",
      placeholder: "name@example.org",
    });
    this.days = h("input", { type: "number", test: "share-days", min: 1, max: 30, required: true, value: DAYS });
    this.language = h(
      "select",
      { test: "share-language" },
      Object.entries(LANGUAGES).map(([code, name]) => h("option", { value: code }, name)),
    );
    this.language.value = language;
    this.form = h(
      "form",
      null,
      h("h2", { id: "share-title" }, t("share.title")),
      h("p", null, t("share.text")),
      h(
        "div",
        { class: "fields" },
        field(t("share.to"), this.to),
        field(t("share.days"), this.days),
        field(t("share.language"), this.language),
      ),
      h(
        "div",
        { class: "row" },
        h("button", { type: "submit", class: "primary", test: "share-send" }, icon("mail"), t("share.send")),
      ),
    );
    this.form.addEventListener(
      "submit",
      guarded(
        () => this.#send(),
        () => this.form,
      ),
    );
    fill(this.element, this.form, this.list);
  }

  #toggle() {
    this.element.hidden = !this.element.hidden;
    this.toggle.setAttribute("aria-expanded", String(!this.element.hidden));
    if (this.element.hidden) return;
    this.to.focus();
    this.#refresh().catch(() => {});
  }

  async #send() {
    const { to, days, language: select } = this;
    const members = {
      call: this.card.id,
      file: this.file.n,
      to: to.value.trim(),
      days: Number(days.value),
      language: select.value,
    };
    try {
      await api.createShare({ ...members, ...this.reason.given("share") });
    } catch (error) {
      if (error.code === "ReasonRequired") this.reason.demand("share");
      throw error;
    }
    announce(t("share.sent", { to: members.to }));
    this.sent = members.to;
    this.to.value = "";
    await this.#refresh();
  }

  async #refresh() {
    const { shares } = await api.shares();
    const own = shares.filter((share) => share.call === this.card.id);
    const item = (share) =>
      h(
        "li",
        null,
        h("span", { class: "who" }, share.to),
        stateOf(share),
        share.expires && h("span", { class: "hint" }, t("share.until", { time: exact(share.expires) })),
        share.state === "active" &&
          cancelButton(
            share,
            () => this.#refresh(),
            () => this.element,
          ),
      );
    const sent = this.sent && h("li", { class: "done" }, icon("check"), t("share.sent", { to: this.sent }));
    fill(this.list, sent, own.map(item));
    this.sent = null;
  }
}
