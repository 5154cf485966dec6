// Requests to the archive's API. Every refusal becomes an ApiProblem with the API's code.

/** A refusal of the API. `code` is `Offline` if there was no answer, and `Unexpected` if the answer has no code. */
export class ApiProblem extends Error {
  constructor(status, code, body = {}) {
    super(code);
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

/** Send a request and return the response, or throw an ApiProblem. */
export async function send(method, path, { body, headers, keepalive, signal } = {}) {
  const change = method !== "GET";
  let response;
  try {
    response = await fetch(path, {
      method,
      keepalive,
      signal,
      credentials: "same-origin",
      headers: {
        Accept: "application/json",
        ...(change && { "X-Callseal": "1" }),
        ...(body !== undefined && { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiProblem(0, "Offline");
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw new ApiProblem(response.status, typeof answer.error === "string" ? answer.error : "Unexpected", answer);
}

async function json(method, path, options) {
  const response = await send(method, path, options);
  return response.status === 204 ? null : response.json();
}

const query = (filters) => {
  const given = Object.entries(filters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const text = new URLSearchParams(given).toString();
  return text ? `?${text}` : "";
};
const call = (id) => `/api/calls/${encodeURIComponent(id)}`;
const given = (members) =>
  Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== "" && value !== null && value !== undefined),
  );

export const filePath = (id, n, what) => `${call(id)}/files/${n}/${what}`;
export const sharePath = (id, what) => `/s/${encodeURIComponent(id)}/${what}`;

export const me = () => json("GET", "/api/me");
export const acceptTerms = (version) => json("POST", "/api/me/terms", { body: { version } });
export const signOut = () => json("POST", "/auth/logout");
export const searchCalls = (filters, signal) => json("GET", `/api/calls${query(filters)}`, { signal });
export const readCall = (id) => json("GET", call(id));
export const askAccess = (id, members) => json("POST", `${call(id)}/access`, { body: given(members) });
export const waveform = (id, n) => json("GET", filePath(id, n, "waveform"));
export const download = (id, n) => json("POST", filePath(id, n, "download"));
export const callAudit = (id, cursor) => json("GET", `${call(id)}/audit${query({ cursor })}`);
export const audit = (filters) => json("GET", `/api/audit${query(filters)}`);
export const shares = () => json("GET", "/api/shares");
export const createShare = (members) => json("POST", "/api/shares", { body: given(members) });
export const cancelShare = (id) => json("DELETE", `/api/shares/${encodeURIComponent(id)}`);
export const shareCode = (id, secret) => json("POST", sharePath(id, "code"), { body: { secret } });
export const openShare = (id, members) => json("POST", sharePath(id, "open"), { body: members });

export const holds = () => json("GET", "/api/holds");
export const placeHold = (members) => json("POST", "/api/holds", { body: given(members) });
export const holdCall = (id, members) => json("POST", `${call(id)}/holds`, { body: members });
export const releaseHold = (name) => json("POST", `/api/holds/${encodeURIComponent(name)}/release`);
export const approveRelease = (name) => json("POST", `/api/holds/${encodeURIComponent(name)}/approve`);
const erasure = (id) => `/api/erasures/${encodeURIComponent(id)}`;
export const erasures = () => json("GET", "/api/erasures");
export const startErasure = (members) => json("POST", "/api/erasures", { body: given(members) });
export const readErasure = (id) => json("GET", erasure(id));
export const approveErasure = (id) => json("POST", `${erasure(id)}/approve`);
export const certificate = (id) => send("GET", `${erasure(id)}/certificate`);

/** Report the seconds that were played. The request outlives the page, and a failure changes nothing for the listener. */
export function reportPlayed(id, file, seconds) {
  send("POST", `${call(id)}/played`, { body: { file, seconds }, keepalive: true }).catch(() => {});
}
