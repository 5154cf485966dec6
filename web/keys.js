// The player's keys. They can be switched off (WCAG 2.1.4), and never act while the user types.

import { fill, h } from "./dom.js";
import { t } from "./language.js";

const ACTIONS = {
  " ": "toggle",
  k: "toggle",
  j: "back10",
  l: "on10",
  ArrowLeft: "back5",
  ArrowRight: "on5",
  "<": "slower",
  ">": "faster",
  m: "mute",
  1: "left",
  2: "right",
};
const SHOWN = [
  [["keys.space", "K"], "keys.toggle"],
  [["←", "→"], "keys.five"],
  [["J", "L"], "keys.ten"],
  [["<", ">"], "keys.speed"],
  [["M"], "keys.mute"],
  [["1", "2"], "keys.sides"],
];
const STORED = "callseal-keys";

/** Listen for the player's keys, and call `act` with the action. Return what stops it. */
export function listenForKeys(act) {
  const pressed = (event) => {
    const action = ACTIONS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || !keysAreOn() || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (takesKey(event.target, event.key)) return;
    event.preventDefault();
    act(action);
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}

function keysAreOn() {
  return localStorage.getItem(STORED) !== "off";
}

/** Return whether the element uses the key itself. The position slider leaves its arrow keys to the player. */
function takesKey(element, key) {
  if (element.matches("[data-test=position]")) return false;
  if (element.matches("textarea, select, [contenteditable], input:not([type=checkbox], [type=range], [type=file])"))
    return true;
  if (element.matches("input[type=range]")) return key.startsWith("Arrow");
  return key === " " && Boolean(element.closest("button, a, summary, input"));
}

/** Return the list of the keys, with the switch. */
export function keyHelp() {
  const box = h("input", { type: "checkbox", id: "keys-on", checked: keysAreOn() });
  box.addEventListener("change", () => localStorage.setItem(STORED, box.checked ? "on" : "off"));
  const rows = SHOWN.map(([keys, text]) => [
    h(
      "dt",
      null,
      keys.map((key) => h("kbd", null, key.startsWith("keys.") ? t(key) : key)),
    ),
    h("dd", null, t(text)),
  ]);
  return fill(
    h("details", { class: "keys" }),
    h("summary", null, t("keys.title")),
    h("dl", null, rows),
    h("label", { class: "check", for: "keys-on" }, box, t("keys.on")),
  );
}
