// One small router over the History API. A view stays until the next one has what it shows, so nothing jumps.

import { h, fill } from "./dom.js";
import { t } from "./language.js";
import { clearProblem, showProblem } from "./problems.js";

const routes = [];
let current = { leave() {} };
let turn = 0;
let wanted;

/** Add a view for paths that match `pattern`. `load` is called with the match's groups and returns a promise of a view. */
export function route(pattern, load) {
  routes.push({ pattern, load });
}

/** Show a path and add it to the history. With `back`, a list is shown as it was left. */
export function go(path, { back = false } = {}) {
  if (path !== location.pathname + location.search) history.pushState(null, "", path);
  return show({ back });
}

/** Show the view of the present address. `back` is true if the user came back to it. */
export async function show({ back = false } = {}) {
  const path = decodeURI(location.pathname);
  for (const { pattern, load } of routes) {
    const match = pattern.exec(path);
    if (match) return present(() => load({ ...match.groups, params: new URLSearchParams(location.search), back }));
  }
}

/**
 * Show a view: `{title, element, focus?, scroll?, leave?}`. The focus goes to its heading unless the view names another
 * element.
 */
export async function present(load) {
  const mine = ++turn;
  const slow = setTimeout(() => document.body.classList.add("busy"), 250);
  try {
    const view = await load();
    if (mine === turn) place(view);
    else view.leave?.();
  } catch (error) {
    if (mine === turn) fail(error);
  } finally {
    clearTimeout(slow);
    if (mine === turn) document.body.classList.remove("busy");
  }
}

function place(view) {
  current.leave?.();
  clearProblem();
  current = view;
  document.title = `${view.title} – Callseal`;
  fill(document.querySelector("#view"), view.element);
  document.dispatchEvent(new Event("viewchange"));
  view.shown?.();
  const heading = view.element.querySelector("h1");
  heading?.setAttribute("tabindex", "-1");
  (view.focus?.() || heading)?.focus({ preventScroll: true });
  scrollTo({ top: view.scroll ?? 0, behavior: "instant" });
}

function fail(error) {
  const title = t("view.problem");
  const back = h("p", null, h("a", { href: "/" }, t("view.toCalls")));
  const session = error?.status === 401 || error?.code === "TermsNotAccepted";
  if (!session) place({ title, element: h("div", { class: "narrow" }, h("h1", null, title), back) });
  showProblem(error);
}

/** Start to follow links and the browser's history. */
export function start() {
  history.scrollRestoration = "manual";
  wanted = location.pathname + location.search;
  addEventListener("popstate", () => {
    const path = location.pathname + location.search;
    // A changed fragment alone is another view only if it is the secret of a share.
    if (path !== wanted || location.pathname.startsWith("/s/")) show({ back: true });
    wanted = path;
  });
  document.addEventListener("viewchange", () => (wanted = location.pathname + location.search));
  document.addEventListener("click", follow);
  return show();
}

function follow(event) {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || url.pathname.startsWith("/auth/")) return;
  if (url.pathname === location.pathname && url.search === location.search && url.hash) return;
  event.preventDefault();
  go(url.pathname + url.search, { back: link.dataset.back !== undefined });
}
