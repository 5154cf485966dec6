/** PEM (RFC 7468): blocks of base64 between lines of hyphens. */

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g;

/** Return the blocks of a text, in its order: label, bytes, and whether the block's own headers say `ENCRYPTED`. */
export function blocks(text) {
  return [...text.matchAll(BLOCK)].map(([, label, body]) => {
    // RFC 1421's headers, which openssl writes into its traditional encrypted keys, end with an empty line.
    const headers = /^\s*[A-Za-z0-9-]+:[\s\S]*?\r?\n\r?\n/.exec(body)?.[0] ?? "";
    return { label, encrypted: /ENCRYPTED/.test(headers), bytes: base64(body.slice(headers.length)) };
  });
}

/** Return the bytes of base64, or null if it is none. */
function base64(text) {
  try {
    return Uint8Array.from(atob(text.replace(/\s+/g, "")), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
