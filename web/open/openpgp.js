/** OpenPGP keys and messages (RFC 4880, 9580), by OpenPGP.js, which is loaded when the first of them comes. */

import { hex } from "./certificate.js";
import { damaged } from "./cms.js";
import { OpenProblem } from "./problem.js";

const ARMOUR = /-----BEGIN PGP PRIVATE KEY BLOCK-----[\s\S]*?-----END PGP PRIVATE KEY BLOCK-----/g;
const PUBLIC_KEY = 6;
const PKESK = 1;
const SKESK = 3;
const MARKER = 10;
const PADDING = 21;
const ANY_KEY = "0000000000000000";
const MAX_PLAIN_BYTES = 2 ** 31;

let library = null;

async function load() {
  library ??= import("../vendor/openpgp/openpgp.min.mjs").then((openpgp) => {
    openpgp.config.maxDecompressedMessageSize = MAX_PLAIN_BYTES;
    openpgp.config.showVersion = false;
    return openpgp;
  });
  return library;
}

/** Return whether a key file is of OpenPGP: armoured, or with the tag of a key's packet. */
export function isOpenPgp(bytes, text) {
  return text.includes("-----BEGIN PGP ") || [0x94, 0x95, 0x96, 0x98, 0x99, 0x9a, 0xc5, 0xc6].includes(bytes[0]);
}

/** Return the decrypted key packets of a file that open messages, and the fingerprints of its keys and subkeys. */
export async function readKeys(bytes, text, passphrase) {
  const openpgp = await load();
  const keys = await parse(openpgp, bytes, text);
  const packets = keys.flatMap((key) => key.getKeys().map(({ keyPacket }) => keyPacket));
  const { rsaEncryptSign, rsaEncrypt, elgamal, ecdh, x25519, x448 } = openpgp.enums.publicKey;
  const kinds = [rsaEncryptSign, rsaEncrypt, elgamal, ecdh, x25519, x448];
  const fitting = packets.filter((packet) => kinds.includes(packet.algorithm));
  if (!fitting.length) throw new OpenProblem("NotSupported", "The key has no part that decrypts.", "Algorithm");
  return {
    packets: await unlock(fitting, passphrase),
    fingerprints: packets.map((packet) => packet.getFingerprint().toUpperCase()),
  };
}

async function parse(openpgp, bytes, text) {
  if (!text.includes("-----BEGIN PGP ")) {
    if (isPublic(bytes)) throw publicKey();
    return readable(openpgp.readPrivateKeys({ binaryKeys: bytes }));
  }
  const armours = text.match(ARMOUR) ?? [];
  if (!armours.length && text.includes("-----BEGIN PGP PUBLIC KEY BLOCK-----")) throw publicKey();
  if (!armours.length) throw unreadable();
  const keys = await readable(Promise.all(armours.map((armoredKeys) => openpgp.readPrivateKeys({ armoredKeys }))));
  return keys.flat();
}

function isPublic(bytes) {
  return (bytes[0] & 0x40 ? bytes[0] & 0x3f : (bytes[0] & 0x3c) >> 2) === PUBLIC_KEY;
}

async function readable(keys) {
  try {
    return await keys;
  } catch {
    throw unreadable();
  }
}

async function unlock(packets, passphrase) {
  const here = packets.filter((packet) => !packet.isMissingSecretKeyMaterial());
  if (!here.length) {
    throw new OpenProblem("NotSupported", "The file lacks the secret part, which may be on a card.", "NoSecret");
  }
  const locked = here.filter((packet) => !packet.isDecrypted());
  if (locked.length && !passphrase && locked.length === here.length) {
    throw new OpenProblem("PassphraseNeeded", "The key has a passphrase.");
  }
  let problem = null;
  for (const packet of passphrase ? locked : []) {
    try {
      await packet.decrypt(passphrase);
    } catch (error) {
      problem ??= lockProblem(error);
    }
  }
  const open = here.filter((packet) => packet.isDecrypted());
  if (!open.length) throw problem;
  return open;
}

function lockProblem(error) {
  if (/^Incorrect key passphrase/.test(error.message)) {
    return new OpenProblem("WrongPassphrase", "The passphrase is wrong.");
  }
  return new OpenProblem("NotSupported", "The key is encrypted in a way that browsers do not have.", "KeyEncryption");
}

/** Opening one OpenPGP message, whose bytes come piece by piece. */
export class OpenPgpOpening {
  constructor(keys, bytes, sha256) {
    this.keys = keys;
    this.bytes = bytes;
    this.sha256 = sha256;
    this.checked = false;
  }

  /** Take the bytes up to `filled`. Throws as soon as the head shows that there is no key for the message. */
  async advance(filled) {
    if (this.checked) return;
    const ids = recipientIds(this.bytes, filled);
    if (!ids) return;
    this.checked = true;
    if (!ids.includes(ANY_KEY) && !this.keys.some((key) => ids.includes(key.getKeyID().toHex()))) throw wrongKey();
  }

  /** Return the plain bytes, after the modification detection code was verified. All bytes must be here. */
  async finish() {
    if (!this.checked) throw damaged();
    const openpgp = await load();
    const matches = this.sha256 === null || (await digest(this.bytes)) === this.sha256;
    const message = await intact(openpgp.readMessage({ binaryMessage: this.bytes }));
    const sessionKey = await this.sessionKey(openpgp, message);
    const opened = await intact(message.decrypt(null, null, [sessionKey]));
    const plain = opened.getLiteralData();
    if (!plain) throw damaged();
    if (!matches) throw new OpenProblem("ChecksumDiffers", "The file is not the one that was delivered.");
    return plain;
  }

  async sessionKey({ enums }, message) {
    let problem = wrongKey();
    for (const packet of message.packets.filterByTag(enums.packet.publicKeyEncryptedSessionKey)) {
      const id = packet.publicKeyID.toHex();
      for (const key of this.keys.filter((one) => id === ANY_KEY || id === one.getKeyID().toHex())) {
        try {
          await packet.decrypt(key);
          return { data: packet.sessionKey, algorithm: enums.read(enums.symmetric, packet.sessionKeyAlgorithm) };
        } catch {
          if (id !== ANY_KEY) problem = damaged();
        }
      }
    }
    throw problem;
  }
}

async function intact(reading) {
  try {
    return await reading;
  } catch {
    throw damaged();
  }
}

/** Return the key ids of the packets before the encrypted data, or null if more bytes are needed. */
function recipientIds(bytes, filled) {
  const ids = [];
  for (let at = 0; ; ) {
    const header = packetHeader(bytes, filled, at);
    if (!header) return null;
    const { tag, from, to } = header;
    if (![PKESK, SKESK, MARKER, PADDING].includes(tag)) return ids;
    if (to > filled) return null;
    if (tag === PKESK) ids.push(bytes[from] === 3 ? hex(bytes.subarray(from + 1, from + 9)).toLowerCase() : ANY_KEY);
    at = to;
  }
}

/** Return a packet's tag and the limits of its body, or null if more bytes are needed (RFC 9580, 4.2). */
function packetHeader(bytes, filled, at) {
  if (at + 6 > filled) return null;
  if (!(bytes[at] & 0x80)) throw damaged();
  const big = (count) => bytes.subarray(at + 1, at + 1 + count).reduce((value, octet) => value * 256 + octet, 0);
  if (!(bytes[at] & 0x40)) {
    const width = [1, 2, 4, 0][bytes[at] & 3];
    const from = at + 1 + width;
    return { tag: (bytes[at] & 0x3c) >> 2, from, to: width ? from + big(width) : Infinity };
  }
  const tag = bytes[at] & 0x3f;
  const first = bytes[at + 1];
  if (first < 192) return { tag, from: at + 2, to: at + 2 + first };
  if (first < 224) return { tag, from: at + 3, to: at + 3 + (first - 192) * 256 + bytes[at + 2] + 192 };
  if (first < 255) return { tag, from: at + 2, to: Infinity };
  at += 1;
  return { tag, from: at + 5, to: at + 5 + big(4) };
}

async function digest(bytes) {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

function wrongKey() {
  return new OpenProblem("WrongKey", "The file is not sealed to this key.");
}

function publicKey() {
  return new OpenProblem("KeyUnreadable", "The file has the public part alone. Choose the secret key.", "PublicKey");
}

function unreadable() {
  return new OpenProblem("KeyUnreadable", "The file is not a secret key that can be read.");
}
