/** What is needed of an X.509 certificate (RFC 5280) to know the files that are sealed to it. */

import { BIT_STRING, Cursor, INTEGER, SEQUENCE, concat } from "./der.js";

const SUBJECT_KEY_IDENTIFIER = "2.5.29.14";

/** Return a certificate's fingerprint, its names in sealed files (the second may be null), and its public key. */
export async function readCertificate(bytes) {
  const outer = Cursor.over(bytes);
  const certificate = outer.enter(SEQUENCE).enter(SEQUENCE);
  certificate.skipIf(0xa0); // version
  const serial = certificate.raw();
  certificate.skip(); // signature
  const issuer = certificate.raw();
  certificate.skip(); // validity
  certificate.skip(); // subject
  const key = certificate.enter(SEQUENCE);
  key.skip(); // algorithm
  const publicKey = key.bits();
  key.leave();
  certificate.skipIf(0x81);
  certificate.skipIf(0x82);
  return {
    fingerprint: hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))),
    issuerAndSerial: concat(issuer, serial),
    subjectKeyIdentifier: certificate.peek() === 0xa3 ? identifier(certificate) : null,
    publicKey,
  };
}

function identifier(certificate) {
  const extensions = certificate.enter(0xa3).enter(SEQUENCE);
  while (!extensions.done) {
    const extension = extensions.enter(SEQUENCE);
    const name = extension.oid();
    extension.skipIf(0x01); // critical
    const value = extension.octets();
    extension.leave();
    if (name === SUBJECT_KEY_IDENTIFIER) return keyIdentifier(value);
  }
  return null;
}

/** Return the identifier in an extension's value. Callseal seals to certificates in which it is garbage, too. */
function keyIdentifier(value) {
  try {
    return Cursor.over(value).octets();
  } catch {
    return null;
  }
}

/** Return whether an element looks like a certificate, and not like a key. */
export function isCertificate(bytes) {
  const tags = [];
  const outer = Cursor.over(bytes).enter(SEQUENCE);
  while (!outer.done) {
    tags.push(outer.peek());
    outer.skip();
  }
  return tags.join() === [SEQUENCE, SEQUENCE, BIT_STRING].join();
}

/** Return whether an element is a SubjectPublicKeyInfo, or an RSAPublicKey. */
export function isPublicKey(bytes) {
  const outer = Cursor.over(bytes).enter(SEQUENCE);
  const tags = [];
  while (!outer.done) {
    tags.push(outer.peek());
    outer.skip();
  }
  return [`${SEQUENCE},${BIT_STRING}`, `${INTEGER},${INTEGER}`].includes(tags.join());
}

export function hex(bytes) {
  return [...bytes].map((octet) => octet.toString(16).padStart(2, "0")).join("").toUpperCase();
}
