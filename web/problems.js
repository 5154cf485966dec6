// What went wrong, said once in one place: the page has one alert, which moves to where the user is.

import { ApiProblem } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { has, t } from "./language.js";

const alert = h("div", { role: "alert", test: "problem", class: "problem" });
let signedOut = () => {};
let termsAsked = () => {};

/** Set what happens if the session has ended, and if terms are to be accepted. */
export function onRefused({ signIn, terms }) {
  signedOut = signIn;
  termsAsked = terms;
}

/** Show a problem at the start of `place`, or of the view. */
export function showProblem(error, place) {
  if (error?.name === "AbortError") return;
  if (error instanceof ApiProblem && error.status === 401) return signedOut();
  if (error instanceof ApiProblem && error.code === "TermsNotAccepted") return termsAsked();
  if (!error?.code) console.error(error);
  if (error?.code === "InvalidRequest" && error.body?.message)
    return sayProblem([t("problem.NotAccepted"), " ", h("span", { lang: "en" }, error.body.message)], place);
  // The opener names a narrower reason for some of its codes.
  const keys = [`problem.${error?.code}.${error?.about}`, `problem.${error?.code}`, "problem.Unexpected"];
  sayProblem(t(keys.find(has)), place);
}

/** Show a sentence, or what it consists of, as the problem. */
export function sayProblem(text, place) {
  (place?.isConnected ? place : document.querySelector("#view")).prepend(alert);
  fill(alert, icon("warning"), h("p", null, text));
}

/** Remove the problem. */
export function clearProblem() {
  alert.remove();
  fill(alert);
}

/** Announce a change to screen readers. */
export function announce(text) {
  const status = document.querySelector("#status");
  status.textContent = status.textContent === text ? `${text}\u00a0` : text;
}

/** Return a listener that clears the problem, runs `action`, and shows what it throws. */
export function guarded(action, place) {
  return async (event) => {
    event?.preventDefault();
    clearProblem();
    try {
      await action(event);
    } catch (error) {
      showProblem(error, place?.());
    }
  };
}
