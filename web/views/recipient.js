// The recipient's side of a share: ask for the code, accept the terms, open, listen. A GET of the link changes nothing.

import * as api from "../api.js";
import { timeOfDay } from "../dates.js";
import { field, fill, h, icon } from "../dom.js";
import { t } from "../language.js";
import { Player } from "../player.js";
import { announce, guarded, sayProblem } from "../problems.js";

export function recipient({ id, secret }) {
  const place = h("div");
  const view = {
    title: t("recipient.title"),
    element: h(
      "div",
      { class: "narrow card welcome" },
      h("div", { class: "emblem" }, icon("seal")),
      h("h1", null, t("recipient.title")),
      place,
    ),
    leave: () => view.player?.close(),
  };
  if (secret) askForCode(view, place, { id, secret });
  else fill(place, h("p", null, t("recipient.incomplete")));
  return view;
}

function askForCode(view, place, share) {
  const ask = guarded(
    async () => {
      const { to, terms } = await ended(api.shareCode(share.id, share.secret));
      announce(t("recipient.codeSent", { to }));
      askToOpen(view, place, share, to, terms);
    },
    () => place,
  );
  fill(
    place,
    h("p", null, t("recipient.text")),
    h(
      "button",
      { type: "button", class: "primary", test: "send-code", onclick: ask },
      icon("mail"),
      t("recipient.sendCode"),
    ),
    h("p", { class: "hint" }, t("recipient.audit")),
  );
}

function askToOpen(view, place, share, to, terms) {
  const code = h("input", {
    type: "text",
    test: "code",
    inputmode: "numeric",
    autocomplete: "one-time-code",
    maxlength: 12,
    required: true,
    class: "code",
  });
  const accept = terms && h("input", { type: "checkbox", test: "accept", id: "accept" });
  const open = guarded(
    async () => {
      const digits = code.value.replace(/\D/g, "");
      if (!digits) return refuse(code, t("recipient.noCode"), form);
      if (accept && !accept.checked) return refuse(accept, t("recipient.notAccepted"), form);
      const { expires } = await ended(
        api.openShare(share.id, { secret: share.secret, code: digits, ...(terms && { terms: terms.version }) }),
      );
      listen(view, place, share, expires);
    },
    () => form,
  );
  const form = h(
    "form",
    { novalidate: true },
    h("p", null, t("recipient.codeSent", { to })),
    field(t("recipient.code"), code, { hint: t("recipient.codeHint") }),
    terms &&
      h(
        "div",
        { class: "terms", tabindex: 0, role: "region", "aria-label": t("terms.region") },
        h("p", null, terms.text),
      ),
    accept && h("label", { class: "check", for: "accept" }, accept, h("span", null, t("recipient.accept"))),
    h(
      "div",
      { class: "row" },
      h("button", { type: "submit", class: "primary", test: "open" }, icon("unsealed"), t("recipient.open")),
      h(
        "button",
        { type: "button", class: "quiet", test: "send-code", onclick: () => again.click() },
        t("recipient.again"),
      ),
    ),
  );
  const again = h("button", { type: "button" });
  again.addEventListener(
    "click",
    guarded(
      async () => {
        const answer = await ended(api.shareCode(share.id, share.secret));
        announce(t("recipient.codeSent", { to: answer.to }));
        askToOpen(view, place, share, answer.to, answer.terms);
      },
      () => form,
    ),
  );
  form.addEventListener("submit", open);
  fill(place, form);
  code.focus();
}

function refuse(input, text, form) {
  sayProblem(text, form);
  input.focus();
}

function listen(view, place, share, expires) {
  const url = () => api.sharePath(share.id, "audio");
  const probe = () => ended(api.send("GET", url(), { headers: { Range: "bytes=0-0" } }));
  view.player = new Player({
    seconds: null,
    source: {
      url,
      prepare: async () => {},
      renew: async () => {},
      keep: async () => {},
      explain: probe,
      played: () => {},
    },
  });
  announce(t("recipient.opened"));
  view.element.classList.add("wide");
  const again = () => {
    view.player.close();
    view.player = null;
    view.element.classList.remove("wide");
    askForCode(view, place, share);
  };
  fill(
    place,
    h("p", null, t("recipient.opened")),
    view.player.element,
    h("p", { class: "hint" }, expires ? t("recipient.until", { time: timeOfDay(expires) }) : t("recipient.stays")),
    h("button", { type: "button", class: "quiet", onclick: again }, t("recipient.restart")),
  );
  view.player.focus();
}

/** The archive answers alike for a link that has ended, was cancelled or is wrong. The page says what to do then. */
async function ended(request) {
  try {
    return await request;
  } catch (error) {
    const code = { NotFound: "ShareEnded", TermsNotAccepted: "TermsChanged" }[error.code];
    throw code ? Object.assign(new Error(code), { code }) : error;
  }
}
