// Sign-in: one button that leads to the tenant's sign-in service and back to the same address.

import { h, icon } from "../dom.js";
import { t } from "../language.js";

export function signIn() {
  const back = location.pathname + location.search;
  const leave = () => location.assign(`/auth/login?return=${encodeURIComponent(back)}`);
  const button = h(
    "button",
    { type: "button", class: "primary", test: "sign-in", onclick: leave },
    icon("in"),
    t("signIn.button"),
  );
  return {
    title: t("signIn.title"),
    element: h(
      "div",
      { class: "narrow card welcome" },
      h("div", { class: "emblem" }, icon("seal")),
      h("h1", null, t("signIn.title")),
      h("p", null, t("signIn.text")),
      button,
      h("p", { class: "hint" }, t("signIn.audit")),
    ),
  };
}
