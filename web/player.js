// The player: an audio element, a slider over a waveform, speed, sides, silence, a loop, and keys.

import { clock, spoken } from "./dates.js";
import { fill, h, icon } from "./dom.js";
import { keyHelp, listenForKeys } from "./keys.js";
import { t } from "./language.js";
import { announce, clearProblem, showProblem } from "./problems.js";
import { listed, merged, rounded, silences } from "./ranges.js";
import { Sides } from "./sides.js";
import { isMono, Waveform } from "./waveform.js";

const SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2];
// A skipped silence leaves this much before the next word.
const LEAD = 0.3;
// After so many played seconds a repaired playback may be repaired again.
const HEALED = 10;

/**
 * `source` is where the sound comes from: `url()`, `prepare()` before each play, `renew()` after a failure,
 * `explain()` which throws why it failed, `peaks()` for the waveform, and `played(ranges)`.
 */
export class Player {
  constructor({ seconds, source, sides = true }) {
    this.source = source;
    this.length = seconds || 0;
    this.heard = [];
    this.repairs = 0;
    this.loop = [];
    this.start = 0;
    this.audio = h("audio", { preload: "none" });
    this.sides = new Sides(this.audio);
    this.#build(sides);
    this.#listen();
    this.#show();
  }

  /** Play, or pause. */
  async toggle() {
    if (this.starting) return;
    if (!this.audio.paused) return this.audio.pause();
    this.starting = true;
    clearProblem();
    try {
      await this.source.prepare();
      this.#load();
      await this.audio.play();
    } catch (error) {
      // A media error is handled by its own event, and a pause before the sound began is none.
      if (!["AbortError", "NotSupportedError", "NotAllowedError"].includes(error.name)) showProblem(error, this.element);
    } finally {
      this.starting = false;
    }
  }

  /** Move to a second of the recording. */
  seek(seconds) {
    const to = Math.min(Math.max(0, seconds), this.length || seconds);
    if (this.audio.src) this.audio.currentTime = to;
    else this.start = to;
    this.#show(to);
  }

  /** Do what a key or a button says. */
  act(action) {
    const now = this.#now();
    const acts = {
      toggle: () => this.toggle(),
      back5: () => this.seek(now - 5),
      on5: () => this.seek(now + 5),
      back10: () => this.seek(now - 10),
      on10: () => this.seek(now + 10),
      slower: () => this.#faster(-1),
      faster: () => this.#faster(1),
      mute: () => this.#mute(),
      left: () => this.#muteSide(0),
      right: () => this.#muteSide(1),
      loop: () => this.#markLoop(),
    };
    acts[action]();
  }

  /** Stop, report what was heard, and release everything. */
  close() {
    this.#report();
    this.stopKeys();
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
    this.sides.close();
    this.waveform.close();
    cancelAnimationFrame(this.frame);
    document.removeEventListener("visibilitychange", this.hidden);
    removeEventListener("pagehide", this.gone);
  }

  #build(sides) {
    const canvas = h("canvas", { "aria-hidden": "true" });
    this.waveform = new Waveform(canvas);
    this.position = h("input", {
      type: "range", test: "position", min: 0, max: Math.max(1, this.length), step: "any", "aria-label": t("player.position"), value: 0,
    });
    this.elapsed = h("span", { class: "digits" });
    this.total = h("span", { class: "digits" });
    this.button = h("button", { type: "button", test: "play", class: "play primary", onclick: () => this.toggle() });
    this.speed = h("select", { test: "speed", "aria-label": t("player.speed") }, SPEEDS.map((speed) => h("option", { value: String(speed) }, t("player.times", { speed }))));
    this.speed.value = "1";
    this.skip = h("input", { type: "checkbox", test: "skip-silence", role: "switch", id: "skip-silence" });
    this.skipped = h("span", { class: "hint" });
    this.loopButton = h("button", { type: "button", test: "loop", class: "quiet", onclick: () => this.act("loop") });
    this.muteButton = h("button", { type: "button", class: "quiet square", onclick: () => this.act("mute") });
    const jump = (action, key, name) => h("button", { type: "button", class: "quiet square", "aria-label": t(key), title: t(key), onclick: () => this.act(action) }, icon(name));
    this.element = h(
      "section",
      { class: "player", "aria-label": t("player.title") },
      this.audio,
      h("div", { class: "wave" }, canvas, this.position),
      h("div", { class: "times", "aria-hidden": "true" }, this.elapsed, this.total),
      h(
        "div",
        { class: "controls" },
        h("div", { class: "main" }, jump("back10", "player.back", "back10"), this.button, jump("on10", "player.on", "on10")),
        h("div", { class: "more" }, this.muteButton, this.loopButton, this.speed, h("label", { class: "check", for: "skip-silence" }, this.skip, h("span", null, t("player.skip")), this.skipped)),
      ),
      sides && this.#buildSides(),
      keyHelp(),
    );
    this.#showLoop();
    this.#showMute();
  }

  #buildSides() {
    const slider = (side, name) => {
      const input = h("input", { type: "range", test: name, min: 0, max: 100, step: 5, id: `side-${name}`, value: 100 });
      input.addEventListener("input", () => this.sides.set(side, Number(input.value) / 100));
      return [input, h("div", { class: `side ${name}` }, h("label", { for: input.id }, t(`player.${name}`)), input)];
    };
    const built = [slider(0, "left"), slider(1, "right")];
    this.sliders = built.map(([input]) => input);
    this.mono = h("p", { class: "hint", hidden: true }, t("player.mono"));
    return h("div", { class: "sides", role: "group", "aria-label": t("player.sides") }, built.map(([, element]) => element), this.mono);
  }

  #listen() {
    const { audio, position } = this;
    const on = (names, listener) => names.split(" ").forEach((name) => audio.addEventListener(name, listener));
    on("play playing pause ended seeked ratechange", () => this.#show());
    on("durationchange loadedmetadata", () => this.#measured());
    on("timeupdate", () => this.#moved());
    on("pause ended", () => this.#report());
    on("play", () => this.#follow());
    on("playing", () => this.#drawPeaks());
    on("waiting", () => this.element.classList.add("waiting"));
    on("playing pause error canplay", () => this.element.classList.remove("waiting"));
    on("error", () => audio.getAttribute("src") && this.#repair());
    position.addEventListener("input", () => this.#show(Number(position.value)));
    position.addEventListener("change", () => this.seek(Number(position.value)));
    this.speed.addEventListener("change", () => (audio.playbackRate = audio.defaultPlaybackRate = Number(this.speed.value)));
    this.skip.addEventListener("change", () => this.#showSilences());
    this.stopKeys = listenForKeys((action) => this.act(action));
    this.hidden = () => document.visibilityState === "hidden" && this.#report();
    this.gone = () => this.#report();
    document.addEventListener("visibilitychange", this.hidden);
    addEventListener("pagehide", this.gone);
  }

  #load() {
    if (this.audio.getAttribute("src")) return;
    this.audio.src = this.source.url();
    if (this.start) this.audio.currentTime = this.start;
  }

  #now() {
    return this.audio.getAttribute("src") ? this.audio.currentTime : this.start;
  }

  #measured() {
    if (!Number.isFinite(this.audio.duration)) return;
    this.length = this.audio.duration;
    this.position.max = this.length;
    this.#show();
  }

  #moved() {
    const now = this.audio.currentTime;
    if (this.repairedAt !== undefined && now > this.repairedAt + HEALED) this.repairs = 0;
    const [from, to] = this.loop;
    if (to !== undefined && (now >= to || now < from - 1)) this.audio.currentTime = from;
    else if (this.skip.checked) this.#skipSilence(now);
    this.#show();
  }

  #skipSilence(now) {
    const gap = this.waveform.silences.find(([from, to]) => now >= from + LEAD && now < to - 2 * LEAD);
    if (gap && !this.audio.paused) this.audio.currentTime = gap[1] - LEAD;
  }

  /** Move the slider smoothly while it plays. */
  #follow() {
    cancelAnimationFrame(this.frame);
    const step = () => {
      if (this.audio.paused) return;
      this.#show();
      this.frame = requestAnimationFrame(step);
    };
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.frame = requestAnimationFrame(step);
  }

  #show(at) {
    const now = at ?? this.#now();
    const playing = !this.audio.paused && !this.audio.ended;
    if (at !== undefined || !this.position.matches(":active")) {
      if (at === undefined) this.position.value = now;
      this.waveform.draw(this.length ? Math.min(1, now / this.length) : 0);
    }
    const second = Math.floor(now);
    if (second !== this.shownSecond || this.length !== this.shownLength) {
      [this.shownSecond, this.shownLength] = [second, this.length];
      if (at !== undefined) this.position.value = now;
      this.elapsed.textContent = clock(now);
      this.total.textContent = this.length ? clock(this.length) : "–:––";
      this.position.setAttribute("aria-valuetext", t("player.at", { at: spoken(now), of: spoken(this.length) }));
    }
    if (playing !== this.shownPlaying) {
      this.shownPlaying = playing;
      const label = t(playing ? "player.pause" : "player.play");
      fill(this.button, icon(playing ? "pause" : "play"), h("span", null, label));
    }
  }

  #faster(steps) {
    const index = Math.min(Math.max(0, SPEEDS.indexOf(Number(this.speed.value)) + steps), SPEEDS.length - 1);
    this.speed.value = String(SPEEDS[index]);
    this.audio.playbackRate = this.audio.defaultPlaybackRate = SPEEDS[index];
    announce(t("player.speedNow", { speed: SPEEDS[index] }));
  }

  #mute() {
    this.audio.muted = !this.audio.muted;
    this.#showMute();
    announce(t(this.audio.muted ? "player.muted" : "player.unmuted"));
  }

  #showMute() {
    const label = t(this.audio.muted ? "player.unmute" : "player.mute");
    this.muteButton.setAttribute("aria-label", label);
    this.muteButton.title = label;
    fill(this.muteButton, icon(this.audio.muted ? "muted" : "sound"));
  }

  #muteSide(side) {
    const slider = this.sliders?.[side];
    if (!slider || slider.disabled) return;
    slider.value = Number(slider.value) ? 0 : 100;
    this.sides.set(side, Number(slider.value) / 100);
    const name = t(`player.${side ? "right" : "left"}`);
    announce(t(Number(slider.value) ? "player.sideOn" : "player.sideOff", { side: name }));
  }

  #markLoop() {
    const now = this.#now();
    if (this.loop.length === 1 && now > this.loop[0] + 0.2) this.loop = [this.loop[0], now];
    else this.loop = this.loop.length ? [] : [now];
    this.#showLoop();
    announce(t(`player.loop${this.loop.length}`));
    if (this.loop.length === 2 && this.audio.getAttribute("src")) this.audio.currentTime = this.loop[0];
  }

  #showLoop() {
    const [from, to = from] = this.loop;
    this.waveform.loop = from === undefined || !this.length ? null : [from / this.length, to / this.length];
    const label = t(["player.loopStart", "player.loopEnd", "player.loopOff"][this.loop.length]);
    fill(this.loopButton, icon("loop"), h("span", null, label));
    this.waveform.draw();
  }

  async #drawPeaks() {
    if (this.asked) return;
    this.asked = true;
    const peaks = await this.source.peaks(this.length);
    if (!peaks?.rows?.[0]?.length) return this.#noPeaks();
    this.found = silences({ rows: peaks.rows, seconds: peaks.seconds || this.length });
    this.waveform.show({ rows: peaks.rows, seconds: peaks.seconds || this.length });
    this.#showSilences();
    if (this.sliders && isMono(peaks)) {
      this.sliders.forEach((slider) => (slider.disabled = true));
      this.mono.hidden = false;
    }
  }

  #noPeaks() {
    this.skip.checked = false;
    this.skip.disabled = true;
    this.skip.parentElement.title = t("player.noSilence");
  }

  #showSilences() {
    this.waveform.silences = (this.skip.checked && this.found) || [];
    const total = (this.found ?? []).reduce((sum, [from, to]) => sum + to - from, 0);
    this.skipped.textContent = this.skip.checked && total ? `−${clock(total)}` : "";
    this.waveform.draw();
  }

  /** Report the played seconds, if there are more than were reported. */
  #report() {
    const ranges = rounded([...this.heard, ...listed(this.audio.played)]);
    const text = JSON.stringify(ranges);
    if (!ranges.length || text === this.reported) return;
    this.reported = text;
    this.source.played(ranges);
  }

  /** Ask for access again, load the sound again and go on at the same second; once, until it has played on. */
  async #repair() {
    if (this.repairing) return;
    this.repairing = true;
    const at = Math.max(this.audio.currentTime, this.shownSecond ?? 0);
    this.heard = merged([...this.heard, ...listed(this.audio.played)]);
    try {
      if (this.repairs >= 1) throw await this.#cause();
      this.repairs += 1;
      this.repairedAt = at;
      await this.source.renew();
      this.audio.src = this.source.url();
      this.audio.currentTime = at;
      this.repairing = false;
      await this.audio.play();
    } catch (error) {
      if (error.name === "NotSupportedError") return;
      this.#giveUp(at, error);
    } finally {
      this.repairing = false;
    }
  }

  async #cause() {
    try {
      await this.source.explain();
    } catch (error) {
      return error;
    }
    return Object.assign(new Error("Playback"), { code: "Playback" });
  }

  #giveUp(at, error) {
    this.#report();
    this.audio.removeAttribute("src");
    this.audio.load();
    this.repairs = 0;
    this.start = at;
    this.#show(at);
    showProblem(error, this.element);
  }
}
