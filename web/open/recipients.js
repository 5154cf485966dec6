/** The key of a CMS message's content, from the recipient whose private key is here. */

import { damaged } from "./cms.js";
import { OCTET_STRING, SEQUENCE, concat, encode, same } from "./der.js";
import { OpenProblem } from "./problem.js";

const RSAES_OAEP = "1.2.840.113549.1.1.7";
const MGF1 = "1.2.840.113549.1.1.8";
const P_SPECIFIED = "1.2.840.113549.1.1.9";
const HASHES = {
  "1.3.14.3.2.26": "SHA-1",
  "2.16.840.1.101.3.4.2.1": "SHA-256",
  "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
};
// RFC 5753, 7.1.4: a curve with the cofactor 1 makes no difference between the two.
const AGREEMENTS = {
  "1.3.133.16.840.63.0.2": "SHA-1", "1.3.132.1.11.1": "SHA-256", "1.3.132.1.11.2": "SHA-384",
  "1.3.132.1.11.3": "SHA-512",
  "1.3.133.16.840.63.0.3": "SHA-1", "1.3.132.1.14.1": "SHA-256", "1.3.132.1.14.2": "SHA-384",
  "1.3.132.1.14.3": "SHA-512",
};
const WRAPS = { "2.16.840.1.101.3.4.1.5": 128, "2.16.840.1.101.3.4.1.45": 256 };

/**
 * Return the content's key, as a CryptoKey.
 *
 * The recipients that name a key's certificate are tried first, and then all others: a certificate may have been
 * renewed with the same key. Throws OpenProblem `WrongKey` if there is no recipient for the keys, `NotSupported` if
 * WebCrypto lacks what that recipient needs, and `Damaged` if the recipient is right and its encrypted key is not.
 */
export async function unwrapContentKey({ recipients, algorithm }, keys) {
  const problems = { named: null, unnamed: null };
  for (const { key, recipient, named } of attempts(recipients, keys)) {
    try {
      const unwrapped = await (key.kind === "rsa" ? transported : agreed)(recipient, key, algorithm);
      if (unwrapped.algorithm.length !== algorithm.length) throw damaged();
      return unwrapped;
    } catch (error) {
      const problem = error instanceof OpenProblem ? error : null;
      if (named) problems.named ??= problem ?? damaged();
      else if (!key.certificates.length) problems.unnamed ??= problem;
    }
  }
  throw problems.named ?? problems.unnamed ?? new OpenProblem("WrongKey", "The file is not sealed to this key.");
}

/** Return each key with each recipient of its kind, those that its certificate names first. */
function attempts(recipients, keys) {
  const pairs = keys.flatMap((key) =>
    recipients
      .filter((recipient) => recipient.kind === key.kind)
      .map((recipient) => ({ key, recipient, named: key.certificates.some((one) => names(recipient.id, one)) })),
  );
  return pairs.sort((one, other) => other.named - one.named);
}

function names(id, certificate) {
  if (id.issuerAndSerial) return same(id.issuerAndSerial, certificate.issuerAndSerial);
  return certificate.subjectKeyIdentifier !== null && same(id.subjectKeyIdentifier, certificate.subjectKeyIdentifier);
}

async function transported(recipient, key, content) {
  if (recipient.encryptedKey.length !== key.size) throw new Error("sealed to an RSA key of another size");
  const { hash, label } = oaep(recipient.algorithm);
  const scheme = { name: "RSA-OAEP", ...(label && { label }) };
  return crypto.subtle.unwrapKey("raw", recipient.encryptedKey, key.byHash[hash], scheme, content.name, false, [
    "decrypt",
  ]);
}

/** Return the hash and the label of RSAES-OAEP-params (RFC 4055, 4.1). */
function oaep({ oid, parameters }) {
  if (oid !== RSAES_OAEP) {
    throw new OpenProblem("NotSupported", "The file is sealed by PKCS #1 v1.5, which browsers lack.", "RsaPkcs1");
  }
  let [hash, mask, label] = ["SHA-1", "SHA-1", null];
  if (!parameters.done) {
    const members = parameters.enter(SEQUENCE);
    if (members.peek() === 0xa0) hash = HASHES[explicit(members, 0xa0).oid];
    if (members.peek() === 0xa1) mask = maskHash(explicit(members, 0xa1));
    if (members.peek() === 0xa2) label = source(explicit(members, 0xa2));
  }
  if (!hash || hash !== mask) throw new OpenProblem("NotSupported", "Browsers lack this form of RSA-OAEP.", "Oaep");
  return { hash, label };
}

function explicit(members, tag) {
  const inner = members.enter(tag);
  const algorithm = inner.algorithm();
  inner.leave();
  return algorithm;
}

function maskHash({ oid, parameters }) {
  return oid === MGF1 ? HASHES[parameters.algorithm().oid] : null;
}

function source({ oid, parameters }) {
  return oid === P_SPECIFIED ? parameters.octets() : null;
}

async function agreed(recipient, key, content) {
  const hash = AGREEMENTS[recipient.algorithm.oid];
  const wrap = hash && recipient.algorithm.parameters.algorithm();
  const bits = wrap && WRAPS[wrap.oid];
  if (!bits || !recipient.publicKey) {
    throw new OpenProblem("NotSupported", "Browsers lack this form of key agreement.", "KeyAgreement");
  }
  const ephemeral = { name: "ECDH", namedCurve: key.curve };
  const publicKey = await crypto.subtle.importKey("raw", recipient.publicKey, ephemeral, false, []);
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: publicKey }, key.key, null);
  const wrapping = await x963(hash, new Uint8Array(shared), bits, sharedInfo(wrap.raw, bits, recipient.keyingMaterial));
  const wrapper = await crypto.subtle.importKey("raw", wrapping, "AES-KW", false, ["unwrapKey"]);
  return crypto.subtle.unwrapKey("raw", recipient.encryptedKey, wrapper, "AES-KW", content.name, false, ["decrypt"]);
}

/** Return ECC-CMS-SharedInfo (RFC 5753, 7.2). */
function sharedInfo(wrap, bits, material) {
  const party = material ? [encode(0xa0, encode(OCTET_STRING, material))] : [];
  return encode(SEQUENCE, wrap, ...party, encode(0xa2, encode(OCTET_STRING, [0, 0, bits >> 8, bits & 0xff])));
}

/** Derive a key as ANSI X9.63 does (SEC 1, 3.6.1). */
async function x963(hash, shared, bits, info) {
  const blocks = [];
  for (let counter = 1, size = 0; size < bits / 8; counter++, size += blocks.at(-1).length) {
    const input = concat(shared, [0, 0, 0, counter], info);
    blocks.push(new Uint8Array(await crypto.subtle.digest(hash, input)));
  }
  shared.fill(0);
  return concat(...blocks).subarray(0, bits / 8);
}
