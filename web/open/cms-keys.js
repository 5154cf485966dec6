/** Key files for CMS: private keys and certificates in PEM, DER or PKCS #12. */

import { isCertificate, isPublicKey, readCertificate } from "./certificate.js";
import { Cursor, INTEGER, Malformed, OCTET_STRING, SEQUENCE, Truncated } from "./der.js";
import { old } from "./pbes2.js";
import { blocks } from "./pem.js";
import { isPkcs12, readPkcs12 } from "./pkcs12.js";
import { fromEc, fromEncrypted, fromPkcs8, fromRsa, unusable } from "./private-key.js";
import { OpenProblem } from "./problem.js";

const READERS = { "PRIVATE KEY": fromPkcs8, "RSA PRIVATE KEY": fromRsa, "EC PRIVATE KEY": fromEc };
const CERTIFICATES = ["CERTIFICATE", "X509 CERTIFICATE"];

/** Return the keys of a file, given as bytes and as text. Each has the certificates of the file that are its own. */
export async function readKeys(bytes, text, passphrase) {
  const found = text.includes("-----BEGIN ") ? await fromPem(text, passphrase) : await fromDer(bytes, passphrase);
  if (!found.keys.length) throw found.problem ?? noKey(found.certificates.length > 0);
  const certificates = (await Promise.allSettled(found.certificates.map(readCertificate))).flatMap(
    ({ status, value }) => (status === "fulfilled" ? [value] : []),
  );
  for (const key of found.keys) key.certificates = certificates.filter((one) => key.isOf(one.publicKey));
  return found.keys;
}

export function fingerprints(keys) {
  return [...new Set(keys.flatMap((key) => key.certificates.map((one) => one.fingerprint)))];
}

async function fromPem(text, passphrase) {
  const found = { keys: [], certificates: [], problem: null };
  for (const { label, encrypted, bytes } of blocks(text)) {
    if (CERTIFICATES.includes(label) && bytes) found.certificates.push(bytes);
    else if (label === "PUBLIC KEY" || label === "RSA PUBLIC KEY") found.problem ??= noKey(true);
    else if (label.endsWith("PRIVATE KEY")) {
      try {
        found.keys.push(await fromBlock(label, encrypted, bytes, passphrase));
      } catch (error) {
        found.problem ??= asProblem(error);
      }
    }
  }
  return found;
}

async function fromBlock(label, encrypted, bytes, passphrase) {
  if (encrypted) throw old();
  if (!bytes) throw unreadable();
  if (label === "ENCRYPTED PRIVATE KEY") return withPassphrase(bytes, passphrase);
  const read = READERS[label];
  if (!read) throw unusable();
  return read(bytes);
}

async function fromDer(bytes, passphrase) {
  try {
    if (isPkcs12(bytes)) return await readPkcs12(bytes, passphrase);
    const whole = Cursor.over(bytes);
    whole.skip();
    if (!whole.done) throw unreadable();
    if (isCertificate(bytes) || isPublicKey(bytes)) throw noKey(true);
    return { keys: [await fromShape(bytes, passphrase)], certificates: [] };
  } catch (error) {
    throw asProblem(error);
  }
}

/** Read a key in DER, whose first two members show its kind. */
async function fromShape(bytes, passphrase) {
  const members = Cursor.over(bytes).enter(SEQUENCE);
  const first = members.peek();
  members.skip();
  const second = members.peek();
  if (first === SEQUENCE && second === OCTET_STRING) return withPassphrase(bytes, passphrase);
  if (first === INTEGER && second === SEQUENCE) return fromPkcs8(bytes);
  if (first === INTEGER && second === INTEGER) return fromRsa(bytes);
  if (first === INTEGER && second === OCTET_STRING) return fromEc(bytes);
  throw unreadable();
}

async function withPassphrase(bytes, passphrase) {
  try {
    return await fromEncrypted(bytes, passphrase);
  } catch (error) {
    if (error.code !== "WrongPassphrase" || passphrase) throw error;
    throw new OpenProblem("PassphraseNeeded", "The key has a passphrase.");
  }
}

function asProblem(error) {
  return error instanceof Malformed || error instanceof Truncated ? unreadable() : error;
}

function unreadable() {
  return new OpenProblem("KeyUnreadable", "The file is not a private key that can be read.");
}

function noKey(isPublic) {
  if (!isPublic) return unreadable();
  return new OpenProblem("KeyUnreadable", "The file has the public part alone. Choose the private key.", "PublicKey");
}
