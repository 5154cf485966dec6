// The tenant's terms, which a user accepts once for each version.

import * as api from "../api.js";
import { h } from "../dom.js";
import { t } from "../language.js";
import { guarded } from "../problems.js";

export function terms({ me, accepted }) {
  const accept = guarded(async () => {
    await api.acceptTerms(me.terms.version);
    await accepted();
  });
  return {
    title: t("terms.title"),
    element: h(
      "div",
      { class: "narrow card" },
      h("h1", null, t("terms.title")),
      h("p", null, t("terms.lead", { tenant: me.tenant })),
      h(
        "div",
        { class: "terms", tabindex: 0, role: "region", "aria-label": t("terms.region") },
        h("p", null, me.terms.text),
      ),
      h("p", { class: "hint" }, t("terms.version", { version: me.terms.version })),
      h("button", { type: "button", class: "primary", test: "accept", onclick: accept }, t("terms.accept")),
    ),
  };
}
