/** The page of the tests: opens sealed files with key files, both from the tests' server, and reports the results. */

// Every byte that a worker sends to the page is counted, so that a refusal can be seen to come without plain bytes.
let received = 0;
globalThis.Worker = class extends Worker {
  constructor(...parameters) {
    super(...parameters);
    this.addEventListener("message", ({ data }) => (received += bytesIn(data)));
  }
};

function bytesIn(value) {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
  if (value === null || typeof value !== "object") return 0;
  return Object.values(value).reduce((sum, member) => sum + bytesIn(member), 0);
}

const { Cursor, Malformed, Source, Truncated } = await import("/open/der.js");
const { Opener, OpenProblem } = await import("/opener.js");
const violations = [];
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) => {
  violations.push(`${violatedDirective} ${blockedURI} ${sample}`);
});

const fetched = new Map();

/** Return the bytes of a path of the server, or of base64. */
async function bytesOf(place) {
  if (!place.startsWith("/files/")) return Uint8Array.from(atob(place), (letter) => letter.charCodeAt(0)).buffer;
  if (!fetched.has(place)) fetched.set(place, await (await fetch(place)).arrayBuffer());
  return fetched.get(place);
}

/** Yield the bytes in pieces of so many bytes, or as one. */
async function* pieces(bytes, step) {
  for (let at = 0; at < bytes.byteLength; at += step) yield new Uint8Array(bytes.slice(at, at + step));
}

async function hexDigest(parts) {
  const whole = parts.length === 1 ? parts[0] : await new Blob(parts).arrayBuffer();
  const digest = await crypto.subtle.digest("SHA-256", whole);
  return [...new Uint8Array(digest)].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}

function problem(error) {
  if (error instanceof OpenProblem) return { code: error.code, about: error.about, message: error.message };
  return { code: `${error.name}: ${error.message}` };
}

async function addKey(opener, { key, passphrase = "" }) {
  try {
    return await opener.addKey(await bytesOf(key), passphrase);
  } catch (error) {
    return problem(error);
  }
}

async function open(opener, { sealed, envelope, sha256 = null, size, step = Infinity }) {
  const bytes = await bytesOf(sealed);
  const progress = [];
  const before = received;
  try {
    const parts = await opener.open(pieces(bytes, Math.min(step, bytes.byteLength || 1)), {
      envelope, size: size ?? bytes.byteLength, sha256, onProgress: (done) => progress.push(done),
    });
    return { digest: await hexDigest(parts), progress: progress.at(-1) };
  } catch (error) {
    return { ...problem(error), received: received - before, progress: progress.at(-1) ?? 0 };
  }
}

/** Open files with the key files of one opener. Returns the answers to the keys, and to the files. */
async function run(keys, files) {
  const opener = new Opener();
  try {
    const added = [];
    for (const key of keys) added.push(await addKey(opener, key));
    const opened = [];
    for (const file of files) opened.push(await open(opener, file));
    return { added, opened };
  } finally {
    opener.close();
  }
}

/** Open a file while it is fetched, as the archive's page does. Returns its digest and the time that opening took. */
async function stream(key, { sealed, envelope, size, sha256 = null }) {
  const opener = new Opener();
  try {
    await opener.addKey(await bytesOf(key.key), key.passphrase);
    const start = performance.now();
    const { body } = await fetch(sealed);
    const parts = await opener.open(body, { envelope, size, sha256 });
    const milliseconds = performance.now() - start;
    return { digest: await hexDigest(parts), milliseconds };
  } finally {
    opener.close();
  }
}

/** Return the elements of each of the BER documents as [tag, limits of the contents, members], or a refusal. */
function elements(documents) {
  return documents.map((document) => {
    const bytes = Uint8Array.from(atob(document), (letter) => letter.charCodeAt(0));
    try {
      return members(new Cursor(new Source(bytes), 0, bytes.length));
    } catch (error) {
      if (error instanceof Malformed) return "malformed";
      if (error instanceof Truncated) return "truncated";
      throw error;
    }
  });
}

function members(cursor) {
  const found = [];
  while (!cursor.done) {
    const { tag, from, to } = cursor.header();
    if (!(tag & 0x20)) {
      cursor.source.view(from, to);
      cursor.at = to;
      found.push([tag, from, to]);
      continue;
    }
    const inner = cursor.enter(tag);
    const those = members(inner);
    found.push([tag, from, inner.at, those]);
    inner.leave();
  }
  return found;
}

globalThis.page = { Opener, bytesOf, elements, hexDigest, run, stream, violations };
document.documentElement.dataset.ready = "yes";
