// All shares: to whom, of which call, until when, and the way to cancel them.

import * as api from "../api.js";
import { exact, moment } from "../dates.js";
import { fill, h } from "../dom.js";
import { t } from "../language.js";
import { cancelButton, stateOf } from "../share.js";

export async function shares() {
  const place = h("div");
  const refresh = async () =>
    fill(
      place,
      table((await api.shares()).shares, refresh, () => place),
    );
  await refresh();
  return {
    title: t("shares.title"),
    element: h("div", null, h("h1", null, t("shares.title")), h("p", { class: "lead" }, t("shares.text")), place),
  };
}

function table(all, refresh, place) {
  if (!all.length) return h("p", { class: "card empty" }, t("shares.none"));
  const names = ["to", "call", "created", "until", "state", "cancel"];
  const cell = (name, ...content) => h("td", { role: "cell", class: name, "data-label": t(`shares.${name}`) }, content);
  const row = (share) =>
    h(
      "tr",
      { role: "row" },
      cell("to", share.to),
      cell(
        "call",
        share.call &&
          h("a", { href: `/calls/${share.call}` }, t("shares.toCall"), h("span", { class: "unseen" }, ` ${share.to}`)),
      ),
      cell("created", moment(share.created)),
      cell("until", exact(share.expires)),
      cell("state", stateOf(share)),
      cell("cancel", share.state === "active" && cancelButton(share, refresh, place)),
    );
  return h(
    "table",
    { class: "results plain", role: "table", "aria-label": t("shares.title") },
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        names.map((name) => h("th", { scope: "col", role: "columnheader", class: name }, t(`shares.${name}`))),
      ),
    ),
    h("tbody", { role: "rowgroup" }, all.map(row)),
  );
}
