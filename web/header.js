// The head of the page: the name, the views that the user may open, and the way out.

import { fill, h, icon } from "./dom.js";
import { t } from "./language.js";

let shown;

const VIEWS = [
  { path: "/", key: "nav.calls", may: "search", icon: "search" },
  { path: "/shares", key: "nav.shares", may: "share", icon: "share" },
  { path: "/holds", key: "nav.holds", may: "hold", icon: "held" },
  { path: "/erasures", key: "nav.erasures", may: "erase", icon: "erasing" },
  { path: "/audit", key: "nav.audit", may: "audit", icon: "list" },
];

/** Show the header. Without a user it has the name alone. */
export function showHeader(me, signOut) {
  if (me && me === shown) return;
  shown = me;
  const header = document.querySelector("#header");
  const brand = [icon("seal"), h("span", null, "Callseal")];
  if (!me) return fill(header, h("p", { class: "brand" }, brand));
  const links = VIEWS.filter(({ may }) => me.may.includes(may) || may === "search").map(({ path, key, icon: name }) =>
    h("li", null, h("a", { href: path, "data-path": path }, icon(name), t(key))),
  );
  fill(
    header,
    h("a", { class: "brand", href: "/" }, brand),
    h("nav", { "aria-label": t("nav.label") }, h("ul", null, links)),
    account(me, signOut),
  );
  markCurrent();
}

/** Mark the link of the present view. */
export function markCurrent() {
  for (const link of document.querySelectorAll("#header [data-path]")) {
    const { path } = link.dataset;
    const here = path === location.pathname;
    const inside = path === "/" && location.pathname.startsWith("/calls/");
    if (here || inside) link.setAttribute("aria-current", here ? "page" : "true");
    else link.removeAttribute("aria-current");
  }
}

function account(me, signOut) {
  const name = me.user.name || me.user.email;
  const menu = h(
    "details",
    { class: "account" },
    h(
      "summary",
      null,
      icon("person"),
      h("span", { class: "name" }, name),
      h("span", { class: "unseen" }, t("nav.account")),
    ),
    h(
      "div",
      { class: "menu" },
      h("p", null, h("strong", null, name), h("br"), me.user.email, h("br"), t("nav.tenant", { tenant: me.tenant })),
      h("button", { type: "button", test: "sign-out", onclick: signOut }, icon("out"), t("nav.signOut")),
    ),
  );
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
  return menu;
}
