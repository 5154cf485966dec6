// The bytes of a sealed file, in ranges. An answer may be shorter than what was asked for.

import * as api from "./api.js";

const CHUNK = 4 * 1024 * 1024;
const RANGE = /^bytes (\d+)-(\d+)\/(\d+)$/;

/** Yield the bytes of a sealed file. The next range is on its way while the one before is being opened. */
export async function* sealedBytes(path, size, { signal, onBytes }) {
  let next = 0;
  let pending = range(path, 0, size, { signal, onBytes });
  while (pending) {
    const { bytes, total } = await pending;
    next += bytes.byteLength;
    pending = next < total ? range(path, next, total, { signal, onBytes }) : null;
    // A failure is thrown when the range is needed, and not before.
    pending?.catch(() => {});
    yield bytes;
  }
}

async function range(path, from, size, { signal, onBytes }) {
  const last = Math.min(from + CHUNK, size ?? Infinity) - 1;
  const response = await api.send("GET", path, { headers: { Range: `bytes=${from}-${last}` }, signal });
  const found = RANGE.exec(response.headers.get("Content-Range") ?? "")
    ?.slice(1)
    .map(Number);
  if (!found || found[0] !== from || found[1] < from) throw damaged();
  const [, to, total] = found;
  const bytes = new Uint8Array(to - from + 1);
  let filled = 0;
  for await (const piece of pieces(response.body)) {
    if (filled + piece.byteLength > bytes.byteLength) throw damaged();
    bytes.set(piece, filled);
    filled += piece.byteLength;
    onBytes(from + filled);
  }
  if (filled < bytes.byteLength) throw new api.ApiProblem(0, "Offline");
  return { bytes, total };
}

async function* pieces(body) {
  const reader = body.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new api.ApiProblem(0, "Offline");
  }
}

function damaged() {
  return Object.assign(new Error("Damaged"), { code: "Damaged" });
}
