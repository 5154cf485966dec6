// What the player shows: a slider over the waveform, the controls, and their states.

import { clock, spoken } from "./dates.js";
import { fill, h, icon } from "./dom.js";
import { keyHelp } from "./keys.js";
import { t } from "./language.js";
import { Waveform } from "./waveform.js";

export const SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2];

export class PlayerView {
  /**
   * `act(action, value)` is called by the controls. `seconds` is the length, as far as it is known. Without peaks there
   * is no switch for silence.
   */
  constructor(seconds, act, { hasPeaks }) {
    this.act = act;
    this.hasPeaks = hasPeaks;
    this.length = seconds || 0;
    this.shown = 0;
    this.found = [];
    this.audio = h("audio", { preload: "none" });
    this.element = h(
      "section",
      { class: "player", "aria-label": t("player.title") },
      this.audio,
      this.#wave(),
      this.#controls(),
      this.#sides(),
      keyHelp(),
    );
    this.showLoop([]);
    this.showMute(false);
  }

  /** Whether silence is to be skipped. */
  get skips() {
    return this.skip.checked;
  }

  /** The silences to skip, which the waveform shows. */
  get silences() {
    return this.waveform.silences;
  }

  /** Show a position in seconds, and whether it plays. A slider that is being dragged stays where the user has it. */
  show(seconds, { paused, ended }) {
    this.shown = seconds;
    if (!this.dragged) this.#place(seconds);
    const playing = !paused && !ended;
    if (playing === this.playing) return;
    this.playing = playing;
    fill(this.button, icon(playing ? "pause" : "play"), h("span", null, t(playing ? "player.pause" : "player.play")));
  }

  /** Take the length of the loaded sound. */
  measure(seconds) {
    if (!Number.isFinite(seconds)) return;
    this.length = seconds;
    this.position.max = seconds;
  }

  wait(on) {
    this.element.classList.toggle("waiting", on);
  }

  showPeaks(peaks, silences, mono) {
    this.found = silences;
    this.waveform.show(peaks);
    this.showSilences();
    if (!mono) return;
    for (const slider of this.sliders) slider.disabled = true;
    this.mono.hidden = false;
  }

  /** Without a waveform there is a plain bar, and no silence is known. */
  showNoPeaks() {
    this.skip.checked = false;
    this.skip.disabled = true;
    this.skipped.textContent = t("player.noSilence");
  }

  showSilences() {
    this.waveform.silences = this.skips ? this.found : [];
    const total = this.found.reduce((sum, [from, to]) => sum + to - from, 0);
    this.skipped.textContent = this.skips && total ? `−${clock(total)}` : "";
    this.waveform.draw();
  }

  /** Show a loop: no second, its start, or its start and end. */
  showLoop(loop) {
    const [from, to = from] = loop;
    this.waveform.loop = from === undefined || !this.length ? null : [from / this.length, to / this.length];
    const label = t(["player.loopStart", "player.loopEnd", "player.loopOff"][loop.length]);
    fill(this.loopButton, icon("loop"), h("span", null, label));
    this.waveform.draw();
  }

  showMute(muted) {
    const label = t(muted ? "player.unmute" : "player.mute");
    this.muteButton.setAttribute("aria-label", label);
    this.muteButton.title = label;
    fill(this.muteButton, icon(muted ? "muted" : "sound"));
  }

  close() {
    this.waveform.close();
  }

  #place(seconds) {
    this.position.value = seconds;
    this.#write(seconds);
  }

  #write(seconds) {
    this.waveform.draw(this.length ? Math.min(1, seconds / this.length) : 0);
    const key = `${Math.floor(seconds)}/${this.length}`;
    if (key === this.written) return;
    this.written = key;
    this.elapsed.textContent = clock(seconds);
    this.total.textContent = this.length ? clock(this.length) : "–:––";
    const text = this.length ? t("player.at", { at: spoken(seconds), of: spoken(this.length) }) : spoken(seconds);
    this.position.setAttribute("aria-valuetext", text);
  }

  #wave() {
    const canvas = h("canvas", { "aria-hidden": "true" });
    const max = Math.max(1, this.length);
    this.waveform = new Waveform(canvas);
    this.position = h("input", {
      type: "range",
      test: "position",
      min: 0,
      max,
      step: "any",
      "aria-label": t("player.position"),
      value: 0,
    });
    this.bubble = h("span", { class: "bubble digits", "aria-hidden": "true", hidden: true });
    this.elapsed = h("span", { class: "digits" });
    this.total = h("span", { class: "digits" });
    const { position } = this;
    position.addEventListener("pointerdown", () => (this.dragged = true));
    for (const name of ["pointerup", "pointercancel"]) position.addEventListener(name, () => (this.dragged = false));
    position.addEventListener("input", () => this.#write(Number(position.value)));
    position.addEventListener("change", () => {
      this.dragged = false;
      this.act("seek", Number(position.value));
    });
    position.addEventListener("pointermove", (event) => this.#hover(event));
    position.addEventListener("pointerleave", () => (this.bubble.hidden = true));
    return [
      h("div", { class: "wave" }, canvas, position, this.bubble),
      h("div", { class: "times", "aria-hidden": "true" }, this.elapsed, this.total),
    ];
  }

  /** Show the second under the pointer. */
  #hover({ clientX, pointerType }) {
    const { left, width } = this.position.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (clientX - left) / width));
    this.bubble.hidden = !this.length || pointerType === "touch";
    this.bubble.textContent = clock(part * this.length);
    this.bubble.style.left = `${part * width}px`;
  }

  #controls() {
    const act = (action) => () => this.act(action);
    const jump = (action, key) =>
      h(
        "button",
        { type: "button", class: "quiet square", "aria-label": t(key), title: t(key), onclick: act(action) },
        icon(action),
      );
    this.button = h("button", { type: "button", test: "play", class: "play primary", onclick: act("toggle") });
    this.loopButton = h("button", { type: "button", test: "loop", class: "quiet", onclick: act("loop") });
    this.muteButton = h("button", { type: "button", class: "quiet square", onclick: act("mute") });
    const options = SPEEDS.map((speed) => h("option", { value: String(speed) }, t("player.times", { speed })));
    this.speed = h("select", { test: "speed", "aria-label": t("player.speed") }, options);
    this.speed.value = "1";
    this.speed.addEventListener("change", () => this.act("speed", Number(this.speed.value)));
    this.skip = h("input", {
      type: "checkbox",
      test: "skip-silence",
      role: "switch",
      id: "skip-silence",
      onchange: act("skip"),
    });
    this.skipped = h("span", { class: "hint" });
    const skip = h(
      "label",
      { class: "check", for: "skip-silence" },
      this.skip,
      h("span", null, t("player.skip")),
      this.skipped,
    );
    return h(
      "div",
      { class: "controls" },
      h("div", { class: "main" }, jump("back10", "player.back"), this.button, jump("on10", "player.on")),
      h("div", { class: "more" }, this.muteButton, this.loopButton, this.speed, this.hasPeaks && skip),
    );
  }

  #sides() {
    const slider = (name, side) => {
      const input = h("input", {
        type: "range",
        test: name,
        min: 0,
        max: 100,
        step: 5,
        id: `side-${name}`,
        value: 100,
      });
      input.addEventListener("input", () => this.act("side", { side, volume: Number(input.value) / 100 }));
      return input;
    };
    const row = (input) => {
      const name = input.dataset.test;
      return h("div", { class: `side ${name}` }, h("label", { for: input.id }, t(`player.${name}`)), input);
    };
    this.sliders = ["left", "right"].map(slider);
    this.mono = h("p", { class: "hint", hidden: true }, t("player.mono"));
    return h(
      "div",
      { class: "sides", role: "group", "aria-label": t("player.sides") },
      this.sliders.map(row),
      this.mono,
    );
  }
}
