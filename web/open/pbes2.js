/** Encryption by a passphrase: PBES2 with PBKDF2 and AES (RFC 8018), which WebCrypto has. */

import { INTEGER, OCTET_STRING, SEQUENCE } from "./der.js";
import { OpenProblem } from "./problem.js";

const PBES2 = "1.2.840.113549.1.5.13";
const PBKDF2 = "1.2.840.113549.1.5.12";
const CIPHERS = { "2.16.840.1.101.3.4.1.2": 128, "2.16.840.1.101.3.4.1.42": 256 };
const PRFS = {
  "1.2.840.113549.2.7": "SHA-1",
  "1.2.840.113549.2.9": "SHA-256",
  "1.2.840.113549.2.10": "SHA-384",
  "1.2.840.113549.2.11": "SHA-512",
};
// A key file that asks for more would stop the page for minutes.
const MAX_ITERATIONS = 20_000_000;

/** Return what an algorithm of RFC 8018 and a passphrase decrypt. */
export async function decrypt(algorithm, encrypted, passphrase) {
  if (algorithm.oid !== PBES2) throw old();
  const parameters = algorithm.parameters.enter(SEQUENCE);
  const kdf = parameters.algorithm();
  const cipher = parameters.algorithm();
  const length = CIPHERS[cipher.oid];
  if (kdf.oid !== PBKDF2 || !length) throw old();
  const iv = cipher.parameters.octets();
  const bits = await derived(kdf.parameters, passphrase, length);
  const key = await crypto.subtle.importKey("raw", bits, "AES-CBC", false, ["decrypt"]);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv }, key, encrypted));
  } catch {
    throw wrong();
  }
}

/** Return so many bits from PBKDF2 with the given parameters. */
async function derived(parameters, passphrase, length) {
  const members = parameters.enter(SEQUENCE);
  if (members.peek() !== OCTET_STRING) throw old();
  const salt = members.octets();
  const iterations = members.number();
  if (members.peek() === INTEGER) members.skip();
  const hash = members.done ? "SHA-1" : PRFS[members.algorithm().oid];
  if (!hash || iterations < 1 || iterations > MAX_ITERATIONS) throw old();
  const secret = await crypto.subtle.importKey("raw", new TextEncoder().encode(passphrase), "PBKDF2", false, [
    "deriveBits",
  ]);
  return crypto.subtle.deriveBits({ name: "PBKDF2", hash, salt, iterations }, secret, length);
}

export function wrong() {
  return new OpenProblem("WrongPassphrase", "The passphrase is wrong.");
}

/** Return the refusal of an encryption that WebCrypto does not have, such as 3DES, RC2 or scrypt. */
export function old() {
  return new OpenProblem(
    "NotSupported",
    "The key file is encrypted in a way that browsers do not have. Convert it with openssl to AES-256.",
    "KeyEncryption",
  );
}
