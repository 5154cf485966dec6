// Who is signed in, and what the page remembers for that person until the page closes.

import * as api from "./api.js";

let known;
const forgets = [];

/** Return the user, the tenant and what the user may; ask the API once. */
export async function whoAmI() {
  known ??= api.me();
  try {
    return await known;
  } catch (error) {
    known = undefined;
    throw error;
  }
}

/** Return the user of `whoAmI`, or throw if there are terms to accept first. */
export async function signedIn() {
  const me = await whoAmI();
  if (me.terms && !me.terms.accepted) throw new api.ApiProblem(403, "TermsNotAccepted");
  return me;
}

/** Call `forget` if the person changes. */
export function onForget(forget) {
  forgets.push(forget);
}

/** Forget the person and everything that was kept for the person. */
export function forgetPerson() {
  known = undefined;
  for (const forget of forgets) forget();
}
