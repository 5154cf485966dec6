/** PKCS #12 files (RFC 7292) that are encrypted by PBES2, as openssl 3, Java and current Windows write them. */

import { Cursor, SEQUENCE, SET, concat, same } from "./der.js";
import { bounded, decrypt, derive, old, wrong } from "./pbes2.js";
import { fromEncrypted, fromPkcs8 } from "./private-key.js";
import { OpenProblem } from "./problem.js";

const DATA = "1.2.840.113549.1.7.1";
const ENCRYPTED_DATA = "1.2.840.113549.1.7.6";
const KEY_BAG = "1.2.840.113549.1.12.10.1.1";
const SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2";
const CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3";
const SAFE_BAG = "1.2.840.113549.1.12.10.1.6";
const X509 = "1.2.840.113549.1.9.22.1";
const PBMAC1 = "1.2.840.113549.1.5.14";
// Each hash with the size of its block (RFC 7292, B.2).
const HASHES = {
  "1.3.14.3.2.26": ["SHA-1", 64],
  "2.16.840.1.101.3.4.2.1": ["SHA-256", 64],
  "2.16.840.1.101.3.4.2.2": ["SHA-384", 128],
  "2.16.840.1.101.3.4.2.3": ["SHA-512", 128],
};
const HMACS = {
  "1.2.840.113549.2.7": "SHA-1",
  "1.2.840.113549.2.9": "SHA-256",
  "1.2.840.113549.2.10": "SHA-384",
  "1.2.840.113549.2.11": "SHA-512",
};
const MAC_KEY = 3;
const MAX_MAC_ITERATIONS = 1_000_000;

/** Return whether a file starts as PFX does: version 3, and a ContentInfo. */
export function isPkcs12(bytes) {
  try {
    const members = Cursor.over(bytes).enter(SEQUENCE);
    return members.number() === 3 && members.enter(SEQUENCE).oid() === DATA;
  } catch {
    return false;
  }
}

/** Return the keys, and the certificates in DER, of a file. Its passphrase may be the empty text. */
export async function readPkcs12(bytes, passphrase) {
  const file = Cursor.over(bytes).enter(SEQUENCE);
  file.number();
  const content = file.enter(SEQUENCE);
  content.oid();
  const safe = inner(content);
  content.leave();
  try {
    if (!file.done) await verify(file.enter(SEQUENCE), safe, passphrase);
    return await readSafe(safe, passphrase);
  } catch (error) {
    if (error.code !== "WrongPassphrase" || passphrase) throw error;
    throw new OpenProblem("PassphraseNeeded", "The key has a passphrase.");
  }
}

/** Return the octets in an explicit [0] at a ContentInfo's end. */
function inner(content) {
  const explicit = content.enter(0xa0);
  const octets = explicit.octets();
  explicit.leave();
  return octets;
}

async function readSafe(bytes, passphrase) {
  const found = { keys: [], certificates: [] };
  const contents = Cursor.over(bytes).enter(SEQUENCE);
  while (!contents.done) {
    const content = contents.enter(SEQUENCE);
    const type = content.oid();
    if (type === DATA) await readBags(inner(content), passphrase, found);
    else if (type === ENCRYPTED_DATA) await readBags(await decrypted(content, passphrase), passphrase, found);
    else throw old(); // encrypted to a public key
    content.leave();
  }
  return found;
}

/** Return the bytes of EncryptedData (RFC 5652, 8). */
async function decrypted(content, passphrase) {
  const explicit = content.enter(0xa0);
  const data = explicit.enter(SEQUENCE);
  data.number();
  const info = data.enter(SEQUENCE);
  info.oid();
  const algorithm = info.algorithm();
  const encrypted = info.primitive(0x80);
  info.leave();
  data.skipIf(0xa1);
  data.leave();
  explicit.leave();
  const plain = await decrypt(algorithm, encrypted, passphrase);
  if (plain[0] !== SEQUENCE) throw wrong(); // noise with a valid padding
  return plain;
}

async function readBags(bytes, passphrase, found) {
  const bags = Cursor.over(bytes).enter(SEQUENCE);
  while (!bags.done) {
    const bag = bags.enter(SEQUENCE);
    const type = bag.oid();
    const explicit = bag.enter(0xa0);
    const value = explicit.raw();
    explicit.leave();
    bag.skipIf(SET); // attributes
    bag.leave();
    if (type === KEY_BAG) found.keys.push(await fromPkcs8(value));
    else if (type === SHROUDED_KEY_BAG) found.keys.push(await fromEncrypted(value, passphrase));
    else if (type === SAFE_BAG) await readBags(value, passphrase, found);
    else if (type === CERTIFICATE_BAG) found.certificates.push(...certificate(value));
  }
}

function certificate(value) {
  const bag = Cursor.over(value).enter(SEQUENCE);
  return bag.oid() === X509 ? [inner(bag)] : [];
}

/** Verify MacData. Only a wrong passphrase, or a changed file, has another MAC. */
async function verify(data, safe, passphrase) {
  const info = data.enter(SEQUENCE);
  const algorithm = info.algorithm();
  const mac = info.octets();
  info.leave();
  const salt = data.octets();
  const iterations = data.done ? 1 : bounded(data.number(), MAX_MAC_ITERATIONS);
  if (algorithm.oid === PBMAC1) return compare(mac, await pbmac1(algorithm.parameters, safe, passphrase));
  const [hash, block] = HASHES[algorithm.oid] ?? [];
  if (!hash) throw old();
  // The empty passphrase is written as no octets at all, or as the end of a text.
  const secrets = [utf16(`${passphrase}\0`), ...(passphrase ? [] : [new Uint8Array()])];
  const macs = await Promise.all(
    secrets.map(async (secret) => hmac(hash, await derived(hash, block, secret, salt, iterations), safe)),
  );
  if (!macs.some((one) => same(one, mac))) throw wrong();
}

function compare(one, other) {
  if (!same(one, other)) throw wrong();
}

/** Return the MAC of RFC 9579. */
async function pbmac1(parameters, safe, passphrase) {
  const members = parameters.enter(SEQUENCE);
  const kdf = members.algorithm().parameters;
  const hash = HMACS[members.algorithm().oid];
  if (!hash) throw old();
  const key = await derive(kdf, passphrase, 8 * { "SHA-1": 20, "SHA-256": 32, "SHA-384": 48, "SHA-512": 64 }[hash]);
  return hmac(hash, key, safe);
}

async function hmac(hash, bytes, data) {
  const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, data));
}

/** Derive the MAC's key, of which one block of the hash is enough (RFC 7292, B.2). */
async function derived(hash, block, secret, salt, iterations) {
  const input = concat(new Uint8Array(block).fill(MAC_KEY), filled(salt, block), filled(secret, block));
  let result = input;
  for (let count = 0; count < iterations; count++) {
    result = new Uint8Array(await crypto.subtle.digest(hash, result));
  }
  return result;
}

/** Repeat bytes up to whole blocks. */
function filled(bytes, block) {
  const size = Math.ceil(bytes.length / block) * block;
  return Uint8Array.from({ length: size }, (_, index) => bytes[index % bytes.length]);
}

function utf16(text) {
  return Uint8Array.from([...Array(text.length).keys()].flatMap((at) => [text.charCodeAt(at) >> 8, text.charCodeAt(at) & 255]));
}
