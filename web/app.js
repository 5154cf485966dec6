// The start of the page: texts of the document, the views and their paths, sign-in and sign-out.

import * as api from "./api.js";
import { h } from "./dom.js";
import { markCurrent, showHeader } from "./header.js";
import { language, t } from "./language.js";
import { guarded, onRefused } from "./problems.js";
import { present, route, show, start } from "./router.js";
import { forgetPerson, signedIn, whoAmI } from "./session.js";

const forUser = (file, name) => async (match) => {
  // The view's module loads while the API answers who the user is.
  const [view, me] = await Promise.all([import(file), signedIn()]);
  showHeader(me, signOut);
  return view[name]({ ...match, me });
};

route(/^\/$/, forUser("./views/search.js", "search"));
route(/^\/calls\/(?<id>[^/]+)$/, forUser("./views/call.js", "call"));
route(/^\/shares$/, forUser("./views/shares.js", "shares"));
route(/^\/holds$/, forUser("./views/holds.js", "holds"));
route(/^\/erasures$/, forUser("./views/erasures.js", "erasures"));
route(/^\/audit$/, forUser("./views/audit.js", "audit"));
route(/^\/s\/(?<id>[^/]+)$/, async ({ id }) => {
  showHeader(null);
  return (await import("./views/recipient.js")).recipient({ id, secret: location.hash.slice(1) });
});
route(/^/, async () => {
  const title = t("missing.title");
  const text = h("p", null, t("missing.text"));
  return {
    title,
    element: h("div", { class: "narrow" }, h("h1", null, title), text, h("a", { href: "/" }, t("view.toCalls"))),
  };
});

const signOut = guarded(async () => {
  await api.signOut();
  forgetPerson();
  history.replaceState(null, "", "/");
  await show();
});

function askToSignIn() {
  forgetPerson();
  showHeader(null);
  return present(async () => (await import("./views/signin.js")).signIn());
}

function askForTerms() {
  forgetPerson();
  return present(async () => {
    const [view, me] = await Promise.all([import("./views/terms.js"), whoAmI()]);
    showHeader(null);
    return view.terms({ me, accepted: () => (forgetPerson(), show()) });
  });
}

onRefused({ signIn: askToSignIn, terms: askForTerms });
document.documentElement.lang = language;
const skip = document.querySelector("#skip");
skip.textContent = t("nav.skip");
skip.hidden = false;
skip.addEventListener("click", (event) => {
  event.preventDefault();
  document.querySelector("#view").focus();
});
document.addEventListener("viewchange", markCurrent);
start();
