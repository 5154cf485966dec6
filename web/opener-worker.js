/**
 * The worker that has the listener's private keys. The page sends it key files and sealed recordings, and gets back
 * fingerprints and plain recordings. A message has the call's number, its name and its arguments.
 */

import { CmsOpening } from "./open/cms-opening.js";
import { damaged } from "./open/cms.js";
import { fingerprints, readKeys } from "./open/cms-keys.js";
import * as openpgp from "./open/openpgp.js";
import { OpenProblem } from "./open/problem.js";

// Opening takes memory of about 4 times a CMS message's size, and 6 times an OpenPGP message's.
const ENVELOPES = {
  cms: { Opening: CmsOpening, most: 2 ** 30 },
  openpgp: { Opening: openpgp.OpenPgpOpening, most: 2 ** 29 },
};
const keys = { cms: [], openpgp: [] };
const openings = new Map();

const calls = {
  async addKey(bytes, passphrase) {
    const octets = new Uint8Array(bytes);
    const text = new TextDecoder("latin1").decode(octets);
    if (openpgp.isOpenPgp(octets, text)) {
      const found = await openpgp.readKeys(octets, text, passphrase);
      keys.openpgp.push(...found.packets);
      return { kind: "openpgp", fingerprints: found.fingerprints };
    }
    const found = await readKeys(octets, text, passphrase);
    keys.cms.push(...found);
    return { kind: "cms", fingerprints: fingerprints(found) };
  },

  async begin(opening, envelope, size, sha256) {
    const { Opening, most } = ENVELOPES[envelope];
    if (size > most) throw tooLarge();
    const bytes = reserve(size);
    openings.set(opening, { bytes, filled: 0, reader: new Opening(keys[envelope], bytes, sha256) });
  },

  async chunk(opening, chunk) {
    const state = openings.get(opening);
    if (state.filled + chunk.length > state.bytes.length) throw damaged();
    state.bytes.set(chunk, state.filled);
    state.filled += chunk.length;
    await state.reader.advance(state.filled);
  },

  async finish(opening) {
    const { bytes, filled, reader } = openings.get(opening);
    openings.delete(opening);
    if (filled !== bytes.length) throw damaged();
    return [await reader.finish()];
  },

  async abandon(opening) {
    openings.delete(opening);
  },
};

function reserve(size) {
  try {
    return new Uint8Array(size);
  } catch {
    throw tooLarge();
  }
}

function tooLarge() {
  return new OpenProblem("NotSupported", "The file is too large to be opened in a browser.", "Size");
}

self.addEventListener("message", async ({ data: { number, name, parameters } }) => {
  try {
    const result = await calls[name](...parameters);
    const buffers = name === "finish" ? result.map((part) => part.buffer) : [];
    self.postMessage({ number, result }, buffers);
  } catch (error) {
    const { code = "", message, about = "" } = error;
    self.postMessage({ number, problem: { code: error instanceof OpenProblem ? code : "", message, about } });
  }
});
