/** PKCS #12 files (RFC 7292) that are encrypted by PBES2, as openssl 3 and current Java write them. */

import { Cursor, Malformed, SEQUENCE, SET, Truncated } from "./der.js";
import { decrypt, old, wrong } from "./pbes2.js";
import { fromEncrypted, fromPkcs8 } from "./private-key.js";
import { OpenProblem } from "./problem.js";

const DATA = "1.2.840.113549.1.7.1";
const ENCRYPTED_DATA = "1.2.840.113549.1.7.6";
const KEY_BAG = "1.2.840.113549.1.12.10.1.1";
const SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2";
const CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3";
const SAFE_BAG = "1.2.840.113549.1.12.10.1.6";
const X509 = "1.2.840.113549.1.9.22.1";

/** Return whether a file starts as PFX does: version 3, and a ContentInfo. */
export function isPkcs12(bytes) {
  try {
    const members = Cursor.over(bytes).enter(SEQUENCE);
    return members.number() === 3 && members.enter(SEQUENCE).oid() === DATA;
  } catch {
    return false;
  }
}

/**
 * Return the keys, and the certificates in DER, of a file. Its passphrase may be the empty text.
 *
 * The file's MAC is not checked: the passphrase shows by the decryption, and no other key opens what this one does.
 */
export async function readPkcs12(bytes, passphrase) {
  const file = Cursor.over(bytes).enter(SEQUENCE);
  file.number();
  const content = file.enter(SEQUENCE);
  content.oid();
  const safe = inner(content);
  content.leave();
  try {
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
    else if (type === ENCRYPTED_DATA) await readDecrypted(await decrypted(content, passphrase), passphrase, found);
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
  return decrypt(algorithm, encrypted, passphrase);
}

async function readDecrypted(bytes, passphrase, found) {
  try {
    await readBags(bytes, passphrase, found);
  } catch (error) {
    // One wrong passphrase in 256 gives a valid padding, and noise.
    throw error instanceof Malformed || error instanceof Truncated ? wrong() : error;
  }
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
