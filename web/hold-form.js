// The form of a hold: its name and reason, on a call's page and with a scope in the view of holds.

import * as api from "./api.js";
import { field, fill, h, icon } from "./dom.js";
import { t } from "./language.js";
import { announce, guarded } from "./problems.js";

// As the API has it. A hyphen in brackets needs the backslash in the pattern of an input.
const NAME = "[A-Za-z0-9]([A-Za-z0-9 ._\\-]{0,62}[A-Za-z0-9])?";

/** Return the fields of a hold, and what reads them. */
export function holdFields() {
  const name = h("input", {
    type: "text",
    test: "hold-name",
    required: true,
    maxlength: 64,
    pattern: NAME,
    title: t("hold.nameHint"),
    autocomplete: "off",
    spellcheck: "false",
  });
  const reason = h("input", { type: "text", test: "hold-reason", required: true, maxlength: 1000, autocomplete: "off" });
  return {
    elements: [
      field(t("hold.name"), name, { hint: t("hold.nameHint") }),
      field(t("hold.reason"), reason, { hint: t("hold.reasonHint") }),
    ],
    read: () => ({ name: name.value.trim(), reason: reason.value.trim() }),
    focus: () => name.focus(),
  };
}

/** Return the button that places a hold. */
export function holdButton() {
  return h("button", { type: "submit", class: "primary", test: "hold-create" }, icon("held"), t("hold.create"));
}

/** Return what places a hold on one call: a button, and the form that it opens. */
export function holdCall(card) {
  const fields = holdFields();
  const place = h("div", { class: "inset", id: "hold-panel", hidden: true });
  const toggle = h(
    "button",
    {
      type: "button",
      test: "hold",
      "aria-expanded": "false",
      "aria-controls": "hold-panel",
      onclick: () => {
        place.hidden = !place.hidden;
        toggle.setAttribute("aria-expanded", String(!place.hidden));
        if (!place.hidden) fields.focus();
      },
    },
    icon("held"),
    t("hold.open"),
  );
  const form = h(
    "form",
    { "aria-label": t("hold.title") },
    h("div", { class: "fields" }, fields.elements),
    h("div", { class: "row" }, holdButton()),
  );
  form.addEventListener(
    "submit",
    guarded(
      async () => {
        const members = fields.read();
        await api.holdCall(card.id, members);
        const text = t("hold.placing", { name: members.name });
        fill(
          place,
          h("p", { class: "placed" }, icon("check"), h("span", null, text)),
          h("a", { href: "/holds" }, t("hold.toHolds")),
        );
        place.tabIndex = -1;
        place.focus();
        announce(text);
      },
      () => form,
    ),
  );
  fill(place, form);
  return { toggle, panel: place };
}
