/** Private keys (RFC 5958, 8017, 5915) as CryptoKeys that cannot be exported. */

import { BIT_STRING, Cursor, INTEGER, NULL, OCTET_STRING, OID, SEQUENCE } from "./der.js";
import { Malformed, Truncated, encode, same } from "./der.js";
import { decrypt, wrong } from "./pbes2.js";
import { OpenProblem } from "./problem.js";

const RSA = "1.2.840.113549.1.1.1";
const EC = "1.2.840.10045.2.1";
const ALGORITHMS = {
  [RSA]: [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01],
  [EC]: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
};
const CURVES = {
  "1.2.840.10045.3.1.7": { name: "P-256", size: 32, oid: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] },
  "1.3.132.0.34": { name: "P-384", size: 48, oid: [0x2b, 0x81, 0x04, 0x00, 0x22] },
  "1.3.132.0.35": { name: "P-521", size: 66, oid: [0x2b, 0x81, 0x04, 0x00, 0x23] },
};
const HASHES = ["SHA-1", "SHA-256", "SHA-384", "SHA-512"];

/** Return a key from a PrivateKeyInfo. */
export async function fromPkcs8(bytes) {
  const info = Cursor.over(bytes).enter(SEQUENCE);
  info.number();
  const { oid, parameters } = info.algorithm();
  const inner = info.octets();
  if (oid === RSA) return fromRsa(inner);
  if (oid === EC) return fromEc(inner, parameters.done ? null : parameters.raw());
  throw unusable();
}

/** Return the key of an EncryptedPrivateKeyInfo. */
export async function fromEncrypted(bytes, passphrase) {
  const info = Cursor.over(bytes).enter(SEQUENCE);
  const algorithm = info.algorithm();
  const plain = await decrypt(algorithm, info.octets(), passphrase);
  try {
    return await fromPkcs8(plain);
  } catch (error) {
    // One wrong passphrase in 256 gives a valid padding, and noise.
    throw error instanceof Malformed || error instanceof Truncated ? wrong() : error;
  } finally {
    plain.fill(0);
  }
}

/** Return a key from an RSAPrivateKey. A CryptoKey has one hash, so there is one for each that a file may name. */
export async function fromRsa(bytes) {
  const members = Cursor.over(bytes).enter(SEQUENCE);
  members.number();
  const modulus = unsigned(members.primitive(INTEGER));
  const pkcs8 = wrapped(encode(SEQUENCE, encode(OID, ALGORITHMS[RSA]), encode(NULL)), bytes);
  const keys = await Promise.all(
    HASHES.map((hash) => imported(pkcs8, { name: "RSA-OAEP", hash }, ["unwrapKey"])),
  );
  pkcs8.fill(0);
  return {
    kind: "rsa",
    size: modulus.length,
    byHash: Object.fromEntries(HASHES.map((hash, index) => [hash, keys[index]])),
    isOf: (publicKey) => isRsa(publicKey, modulus),
  };
}

/** Return a key from an ECPrivateKey. `parameters` is its curve, if that is stated outside of it. */
export async function fromEc(bytes, parameters = null) {
  const members = Cursor.over(bytes).enter(SEQUENCE);
  members.number();
  const scalar = unsigned(members.octets());
  const own = members.peek() === 0xa0 ? inside(members, 0xa0).raw() : null;
  const point = members.peek() === 0xa1 ? inside(members, 0xa1).bits() : null;
  const curve = namedCurve(parameters ?? own);
  const secret = new Uint8Array(curve.size);
  secret.set(scalar, curve.size - scalar.length);
  const pkcs8 = wrapped(
    encode(SEQUENCE, encode(OID, ALGORITHMS[EC]), encode(OID, curve.oid)),
    encode(
      SEQUENCE, encode(INTEGER, [1]), encode(OCTET_STRING, secret),
      ...(point ? [encode(0xa1, encode(BIT_STRING, [0], point))] : []),
    ),
  );
  const key = await imported(pkcs8, { name: "ECDH", namedCurve: curve.name }, ["deriveBits"]);
  pkcs8.fill(0);
  secret.fill(0);
  return {
    kind: "ec",
    curve: curve.name,
    key,
    isOf: (publicKey) => (point ? same(publicKey, point) : publicKey.length === 2 * curve.size + 1),
  };
}

function inside(members, tag) {
  const inner = members.enter(tag);
  const start = inner.at;
  inner.skip();
  const end = inner.at;
  inner.leave();
  return new Cursor(inner.source, start, end);
}

function namedCurve(parameters) {
  if (!parameters) throw new OpenProblem("KeyUnreadable", "The EC key does not say on which curve it is.");
  const named = parameters[0] === OID ? CURVES[Cursor.over(parameters).oid()] : null;
  if (!named) throw new OpenProblem("NotSupported", "Browsers know the curves P-256, P-384 and P-521.", "Curve");
  return named;
}

function wrapped(algorithm, key) {
  return encode(SEQUENCE, encode(INTEGER, [0]), algorithm, encode(OCTET_STRING, key));
}

async function imported(pkcs8, algorithm, usages) {
  try {
    return await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, usages);
  } catch {
    throw new OpenProblem("KeyUnreadable", "The browser does not accept this private key.", "Refused");
  }
}

function unsigned(contents) {
  let start = 0;
  while (start < contents.length - 1 && contents[start] === 0) start++;
  return contents.slice(start);
}

function isRsa(publicKey, modulus) {
  try {
    return same(unsigned(Cursor.over(publicKey).enter(SEQUENCE).primitive(INTEGER)), modulus);
  } catch {
    return false; // the certificate of another kind of key
  }
}

export function unusable() {
  return new OpenProblem("NotSupported", "Keys for RSA and ECDH open recordings, and this is neither.", "Algorithm");
}
