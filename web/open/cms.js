/** CMS messages (RFC 5652, 5083): the head with the recipients, and the encrypted content behind it. */

import { Cursor, INTEGER, SEQUENCE, SET } from "./der.js";
import { OpenProblem } from "./problem.js";

const ENVELOPED_DATA = "1.2.840.113549.1.7.3";
const AUTH_ENVELOPED_DATA = "1.2.840.113549.1.9.16.1.23";
const DATA = "1.2.840.113549.1.7.1";
const GCM = { "2.16.840.1.101.3.4.1.6": 128, "2.16.840.1.101.3.4.1.46": 256 };
const CBC = { "2.16.840.1.101.3.4.1.2": 128, "2.16.840.1.101.3.4.1.42": 256 };
// RFC 5084, 3.2. A tag has 12 to 16 octets, and 12 if its length is absent.
const TAG_SIZES = [12, 13, 14, 15, 16];

/**
 * Read everything before the encrypted content. Throws Truncated if more bytes are needed for that.
 *
 * Returns whether the content is authenticated, the RecipientInfos, the content's algorithm, and the cursor of the
 * encrypted content's info, for readContent.
 */
export function readHead(source, size) {
  const outer = new Cursor(source, 0, size);
  const message = outer.enter(SEQUENCE);
  const type = message.oid();
  if (type !== ENVELOPED_DATA && type !== AUTH_ENVELOPED_DATA) {
    throw new OpenProblem("NotSupported", "The file is a CMS message of another type.", "ContentType");
  }
  const authenticated = type === AUTH_ENVELOPED_DATA;
  const body = message.enter(0xa0).enter(SEQUENCE);
  body.skipIf(INTEGER); // version
  body.skipIf(0xa0); // originatorInfo
  const recipients = readRecipients(body);
  const info = body.enter(SEQUENCE);
  const data = info.oid();
  const algorithm = contentAlgorithm(info.algorithm(), authenticated);
  if (data !== DATA || !algorithm) {
    throw new OpenProblem("NotSupported", "Browsers open AES-GCM and AES-CBC of 128 or 256 bits.", "Cipher");
  }
  return { authenticated, recipients, algorithm, info };
}

function contentAlgorithm({ oid, parameters }, authenticated) {
  if (!authenticated) return CBC[oid] && { name: "AES-CBC", length: CBC[oid], iv: parameters.octets().slice() };
  if (!GCM[oid]) return null;
  const members = parameters.enter(SEQUENCE);
  const iv = members.octets().slice();
  const tagSize = members.done ? 12 : members.number();
  return { name: "AES-GCM", length: GCM[oid], iv, tagSize };
}

function readRecipients(body) {
  const infos = body.enter(SET);
  const found = [];
  while (!infos.done) {
    const tag = infos.peek();
    if (tag === SEQUENCE) found.push(keyTransport(infos.enter(SEQUENCE)));
    else if (tag === 0xa1) found.push(...keyAgreement(infos.enter(0xa1)));
    else infos.skip(); // a passphrase, or a key that both sides have
  }
  infos.leave();
  return found;
}

/** Read a KeyTransRecipientInfo (RFC 5652, 6.2.1). */
function keyTransport(info) {
  info.number();
  const id = recipientId(info, 0x80);
  const algorithm = info.algorithm();
  const encryptedKey = info.octets().slice();
  info.leave();
  return { kind: "rsa", id, algorithm, encryptedKey };
}

/** Read a KeyAgreeRecipientInfo (RFC 5652, 6.2.2): an entry for each of its recipients. */
function keyAgreement(info) {
  info.number();
  const originator = info.enter(0xa0);
  const publicKey = originator.peek() === 0xa1 ? originatorKey(originator.enter(0xa1)) : originator.skip();
  originator.leave();
  const keyingMaterial = info.peek() === 0xa1 ? material(info.enter(0xa1)) : null;
  const algorithm = info.algorithm();
  const keys = info.enter(SEQUENCE);
  const found = [];
  while (!keys.done) {
    const key = keys.enter(SEQUENCE);
    const id = recipientId(key, 0xa0);
    found.push({ kind: "ec", id, algorithm, publicKey, keyingMaterial, encryptedKey: key.octets().slice() });
    key.leave();
  }
  keys.leave();
  info.leave();
  return found;
}

function originatorKey(key) {
  key.algorithm();
  const point = key.bits().slice();
  key.leave();
  return point;
}

function material(explicit) {
  const octets = explicit.octets().slice();
  explicit.leave();
  return octets;
}

/** Read a RecipientIdentifier. Its second form, the subjectKeyIdentifier, is plain for RSA and in a sequence for EC. */
function recipientId(info, tag) {
  if (info.peek() === 0x80 && tag === 0x80) return { subjectKeyIdentifier: info.primitive(0x80).slice() };
  if (info.peek() === 0xa0 && tag === 0xa0) {
    const members = info.enter(0xa0);
    const subjectKeyIdentifier = members.octets().slice();
    while (!members.done) members.skip(); // date, other
    members.leave();
    return { subjectKeyIdentifier };
  }
  const pair = info.enter(SEQUENCE);
  const start = pair.at;
  pair.skip();
  pair.skip();
  const issuerAndSerial = pair.source.view(start, pair.at).slice();
  pair.leave();
  return { issuerAndSerial };
}

/**
 * Read the encrypted content and the tag, once the whole message is here.
 *
 * Moves the content's pieces and the tag together in the source's own bytes, as WebCrypto needs them side by side, so
 * that there is no second copy. Returns them, and the additional authenticated data.
 */
export function readContent({ authenticated, algorithm, info }) {
  const { source } = info;
  const limits = [...info.pieces(0x80)].map(([from, to]) => [from, source.view(from, to).length]);
  const body = info.leave();
  const attributes = authenticated && body.peek() === 0xa1 ? body.raw().slice() : null;
  const tag = authenticated ? body.octets().slice() : new Uint8Array();
  body.skipIf(authenticated ? 0xa2 : 0xa1); // unauthenticated attributes
  leaveAll(body);
  if (authenticated && (tag.length !== algorithm.tagSize || !TAG_SIZES.includes(tag.length))) throw damaged();
  const start = limits.length ? limits[0][0] : 0;
  let end = start;
  for (const [from, length] of limits) {
    source.bytes.copyWithin(end, from, from + length);
    end += length;
  }
  source.bytes.set(tag, end);
  if (attributes) attributes[0] = SET; // RFC 5083, 2.2
  return { sealed: source.bytes.subarray(start, end + tag.length), additionalData: attributes };
}

/** Check that nothing is behind the message. */
function leaveAll(body) {
  let cursor = body;
  while (cursor.outer) cursor = cursor.leave();
  if (!cursor.done) throw damaged();
}

export function damaged() {
  return new OpenProblem("Damaged", "The file was changed or cut off.");
}
