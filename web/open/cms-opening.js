/** Opening one CMS message, whose bytes come piece by piece. */

import { damaged, readContent, readHead } from "./cms.js";
import { hex } from "./certificate.js";
import { Malformed, Source, Truncated } from "./der.js";
import { OpenProblem } from "./problem.js";
import { unwrapContentKey } from "./recipients.js";

// 16 recipients of RSA 16384 take 33 KiB, but a sender may add certificates.
const MAX_HEAD = 1024 * 1024;

export class CmsOpening {
  /** `sha256` is the sealed file's checksum in hex, or null if it is not known. */
  constructor(keys, bytes, sha256) {
    this.keys = keys;
    this.source = new Source(bytes, 0);
    this.sha256 = sha256;
    this.head = null;
  }

  /** Take the bytes up to `filled`. Throws as soon as the head shows that the message cannot be opened. */
  async advance(filled) {
    this.source.filled = filled;
    if (this.head) return;
    try {
      this.head = readHead(this.source, this.source.bytes.length);
    } catch (error) {
      if (error instanceof Truncated && filled < Math.min(MAX_HEAD, this.source.bytes.length)) return;
      throw asDamaged(error);
    }
    if (!this.head.authenticated && this.sha256 === null) {
      await unwrapContentKey(this.head, this.keys);
      throw new OpenProblem("ChecksumMissing", "The file has no tag, and its checksum is not known.");
    }
    this.contentKey = await unwrapContentKey(this.head, this.keys);
  }

  /** Return the plain bytes, after the tag or the checksum was verified. All bytes must be here. */
  async finish() {
    if (!this.contentKey) throw damaged();
    const matches = this.sha256 === null || (await digest(this.source.bytes)) === this.sha256;
    if (!this.head.authenticated && !matches) throw differs();
    const plain = await this.decrypt();
    if (!matches) throw differs();
    return plain;
  }

  async decrypt() {
    let { sealed, additionalData } = this.content();
    const { name, iv, tagSize } = this.head.algorithm;
    const scheme = { name, iv, ...(tagSize && { tagLength: 8 * tagSize }), ...(additionalData && { additionalData }) };
    const decrypted = crypto.subtle.decrypt(scheme, this.contentKey, sealed);
    // WebCrypto has its own copy by now. Give this one back, without waiting for the garbage collector.
    sealed.buffer.transfer?.(0);
    try {
      return new Uint8Array(await decrypted);
    } catch {
      throw damaged();
    }
  }

  content() {
    try {
      return readContent(this.head);
    } catch (error) {
      throw asDamaged(error);
    }
  }
}

async function digest(bytes) {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

function asDamaged(error) {
  return error instanceof Truncated || error instanceof Malformed ? damaged() : error;
}

function differs() {
  return new OpenProblem("ChecksumDiffers", "The file is not the one that was delivered: its checksum differs.");
}
