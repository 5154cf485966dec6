// Access to the files of a call: asked for once in 15 minutes, with a reason if the tenant wants one.

import * as api from "./api.js";
import { onForget } from "./session.js";

const LIFE = 15 * 60 * 1000;
// Asked again a little before the end, so that a grant does not end between its check and its use.
const MARGIN = 10 * 1000;
// When a grant for `call/file/action` ends, by the clock of performance.now(), which no one sets.
const grants = new Map();
onForget(() => grants.clear());

export class Access {
  /** `reason` is the ReasonField of the call's page. */
  constructor(callId, reason) {
    this.callId = callId;
    this.reason = reason;
  }

  /** Make sure that an action with a file is allowed now, and for `margin` more. */
  async ensure(action, file, margin = MARGIN) {
    if ((grants.get(this.#key(action, file)) ?? 0) < performance.now() + margin) await this.renew(action, file);
  }

  /** Ask for access, with the reason that is in the field. */
  async renew(action, file) {
    const given = this.reason.given(action);
    const asked = performance.now();
    try {
      await api.askAccess(this.callId, { action, file, ...given });
    } catch (error) {
      if (error.code === "ReasonRequired") this.reason.demand(action);
      throw error;
    }
    grants.set(this.#key(action, file), asked + LIFE);
  }

  /** Forget a grant that the archive does not accept any more. */
  drop(action, file) {
    grants.delete(this.#key(action, file));
  }

  #key(action, file) {
    return `${this.callId}/${file}/${action}`;
  }
}
