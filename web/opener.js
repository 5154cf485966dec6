/**
 * Opens sealed recordings in the browser, with the listener's own private key.
 *
 * A worker keeps the key, as CryptoKeys that cannot be exported, or, for OpenPGP, in its memory. The key is never sent
 * and never stored, and it is gone when the page closes.
 */

import { OpenProblem } from "./open/problem.js";

export { OpenProblem };

const WORKER = new URL("opener-worker.js", import.meta.url).href;

// With `require-trusted-types-for 'script'`, a worker starts from a URL of a policy alone. This one knows one URL.
const policy = globalThis.trustedTypes?.createPolicy("callseal-opener", {
  createScriptURL(url) {
    if (url !== WORKER) throw new TypeError("The opener starts its own worker alone.");
    return url;
  },
});

export class Opener {
  #worker = null;
  #calls = new Map();
  #number = 0;

  /**
   * Read a key file: PEM, DER, PKCS #12 or OpenPGP. Its keys are added to those that open() tries.
   *
   * Returns its kind, `cms` or `openpgp`, and the fingerprints of its certificates or OpenPGP keys.
   */
  async addKey(bytes, passphrase) {
    return this.#call("addKey", [bytes, passphrase]);
  }

  /**
   * Open a sealed recording, and return the plain bytes as parts of a Blob.
   *
   * `size` and `sha256` (hex, or null) are those of the sealed file, by its card. The chunks' buffers are transferred
   * to the worker. Refuses with OpenProblem as soon as the first chunks show that no key fits. The error of `chunks`
   * itself is passed on.
   */
  async open(chunks, { envelope, size, sha256, onProgress = () => {} }) {
    const opening = ++this.#number;
    try {
      await this.#call("begin", [opening, envelope, size, sha256?.toUpperCase() ?? null]);
      const worker = this.#worker;
      let done = 0;
      for await (const chunk of chunks) {
        if (worker !== this.#worker) throw closed();
        const { length } = chunk;
        const whole = length === chunk.buffer.byteLength ? chunk : chunk.slice();
        await this.#call("chunk", [opening, whole], [whole.buffer]);
        onProgress((done += length));
      }
      return await this.#call("finish", [opening]);
    } catch (error) {
      if (this.#worker) this.#call("abandon", [opening]).catch(() => {});
      throw error;
    }
  }

  /** End the worker. Its keys are gone, and what is still being opened is refused with an AbortError. */
  close() {
    this.#end(closed());
  }

  #call(name, parameters, transfer = []) {
    this.#worker ??= this.#start();
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      this.#calls.set(number, { resolve, reject });
      this.#worker.postMessage({ number, name, parameters }, transfer);
    });
  }

  #start() {
    const worker = new Worker(policy ? policy.createScriptURL(WORKER) : WORKER, { type: "module" });
    worker.addEventListener("message", ({ data }) => this.#answer(data));
    worker.addEventListener("error", () => {
      this.#end(new OpenProblem("NotSupported", "The browser could not start or continue the worker.", "Worker"));
    });
    return worker;
  }

  #answer({ number, result, problem }) {
    const { resolve, reject } = this.#calls.get(number);
    this.#calls.delete(number);
    if (!problem) resolve(result);
    else if (problem.code) reject(new OpenProblem(problem.code, problem.message, problem.about));
    else reject(new Error(problem.message));
  }

  #end(error) {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }
}

function closed() {
  return new DOMException("The opener was closed.", "AbortError");
}
