// The player: what it does. player-view.js has what it shows.

import { Heard } from "./heard.js";
import { listenForKeys } from "./keys.js";
import { t } from "./language.js";
import { PlayerView, SPEEDS } from "./player-view.js";
import { announce, clearProblem, showProblem } from "./problems.js";
import { silences } from "./ranges.js";
import { Sides } from "./sides.js";
import { isMono } from "./waveform.js";

// A skipped silence leaves this much before the next word, in seconds.
const LEAD = 0.3;
// After so many played seconds a repaired playback may be repaired again.
const HEALED = 10;
// How often the access is looked at while it plays, in milliseconds.
const KEEPING = 20 * 1000;
// Errors of play() that have their own event, or are none.
const QUIET = ["AbortError", "NotSupportedError", "NotAllowedError"];

/**
 * `source` is where the sound comes from: `url()`, `prepare()` before each play, `keep()` now and then while it plays,
 * `renew()` after a failure, `explain()` which throws why it failed, `played(ranges)`, and `peaks(seconds)` for the
 * waveform, if it can have one.
 */
export class Player {
  constructor({ seconds, source }) {
    this.source = source;
    this.start = 0;
    this.loop = [];
    this.repairs = 0;
    this.view = new PlayerView(seconds, (action, value) => this.act(action, value), {
      hasPeaks: Boolean(source.peaks),
    });
    this.element = this.view.element;
    this.audio = this.view.audio;
    this.sides = new Sides(this.audio);
    this.heard = new Heard(this.audio, source.played);
    this.stopKeys = listenForKeys((action) => this.act(action));
    this.#listen();
    this.#show();
  }

  /** Move the focus to the button that plays. */
  focus() {
    this.view.button.focus();
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
      if (!QUIET.includes(error.name)) showProblem(error, this.element);
    } finally {
      this.starting = false;
    }
  }

  /** Move to a second of the recording. */
  seek(seconds) {
    const to = Math.min(Math.max(0, seconds), this.view.length || seconds);
    if (this.#isLoaded()) this.audio.currentTime = to;
    else this.start = to;
    this.view.show(to, this.audio);
  }

  /** Do what a key or a control says. */
  act(action, value) {
    const now = this.#now();
    const acts = {
      toggle: () => this.toggle(),
      seek: () => this.seek(value),
      back5: () => this.seek(now - 5),
      on5: () => this.seek(now + 5),
      back10: () => this.seek(now - 10),
      on10: () => this.seek(now + 10),
      speed: () => this.#setSpeed(value),
      slower: () => this.#step(-1),
      faster: () => this.#step(1),
      mute: () => this.#mute(),
      side: () => this.sides.set(value.side, value.volume),
      left: () => this.#muteSide(0),
      right: () => this.#muteSide(1),
      loop: () => this.#markLoop(),
      skip: () => this.view.showSilences(),
    };
    acts[action]();
  }

  /** Stop, report what was heard, and release everything. */
  close() {
    this.heard.close();
    this.stopKeys();
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
    this.sides.close();
    this.view.close();
    cancelAnimationFrame(this.frame);
  }

  #listen() {
    const on = (names, listener) => names.split(" ").forEach((name) => this.audio.addEventListener(name, listener));
    on("play playing pause ended seeked", () => this.#show());
    on("durationchange loadedmetadata", () => {
      this.view.measure(this.audio.duration);
      this.#show();
    });
    on("timeupdate", () => this.#moved());
    on("play", () => this.#follow());
    on("playing", () => this.#drawPeaks());
    on("waiting", () => this.view.wait(true));
    on("playing pause error canplay", () => this.view.wait(false));
    on("error", () => this.#isLoaded() && this.#repair());
  }

  #isLoaded() {
    return this.audio.hasAttribute("src");
  }

  #load() {
    if (this.#isLoaded()) return;
    this.audio.src = this.source.url();
    if (this.start) this.audio.currentTime = this.start;
  }

  #now() {
    return this.#isLoaded() ? this.audio.currentTime : this.start;
  }

  #show() {
    this.view.show(this.#now(), this.audio);
  }

  #moved() {
    const now = this.audio.currentTime;
    if (this.repairs && now > this.repairedAt + HEALED) this.repairs = 0;
    const [from, to] = this.loop;
    if (to !== undefined && (now >= to || now < from - 1)) this.audio.currentTime = from;
    else if (this.view.skips && !this.audio.paused) this.#skipSilence(now);
    if (!this.audio.paused && performance.now() > (this.keptAt ?? 0) + KEEPING) this.#keep();
    this.#show();
  }

  /** Keep the access, or stop: the sound may be loaded to its end, and is not to be heard after a right has ended. */
  async #keep() {
    this.keptAt = performance.now();
    try {
      await this.source.keep();
    } catch (error) {
      if (error.code === "Offline") return;
      this.audio.pause();
      showProblem(error, this.element);
    }
  }

  #skipSilence(now) {
    const gap = this.view.silences.find(([from, to]) => now >= from + LEAD && now < to - 2 * LEAD);
    if (gap) this.audio.currentTime = gap[1] - LEAD;
  }

  /** Move the slider smoothly while it plays, unless the user prefers less motion. */
  #follow() {
    cancelAnimationFrame(this.frame);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const step = () => {
      if (this.audio.paused) return;
      this.#show();
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  #setSpeed(speed) {
    // The default rate is what the element has after it loads the sound again.
    this.audio.defaultPlaybackRate = speed;
    this.audio.playbackRate = speed;
    this.view.speed.value = String(speed);
  }

  #step(steps) {
    const index = SPEEDS.indexOf(this.audio.defaultPlaybackRate) + steps;
    const speed = SPEEDS[Math.min(Math.max(0, index), SPEEDS.length - 1)];
    this.#setSpeed(speed);
    announce(t("player.speedNow", { speed }));
  }

  #mute() {
    this.audio.muted = !this.audio.muted;
    this.view.showMute(this.audio.muted);
    announce(t(this.audio.muted ? "player.muted" : "player.unmuted"));
  }

  #muteSide(side) {
    const slider = this.view.sliders[side];
    if (slider.disabled) return;
    const volume = Number(slider.value) ? 0 : 1;
    slider.value = volume * 100;
    this.sides.set(side, volume);
    announce(t(volume ? "player.sideOn" : "player.sideOff", { side: t(side ? "player.right" : "player.left") }));
  }

  /** Set the start of the loop, then its end, then no loop. */
  #markLoop() {
    const now = this.#now();
    if (this.loop.length === 1 && now > this.loop[0] + 0.2) this.loop = [this.loop[0], now];
    else this.loop = this.loop.length ? [] : [now];
    this.view.showLoop(this.loop);
    announce(t(`player.loop${this.loop.length}`));
    if (this.loop.length === 2) this.seek(this.loop[0]);
  }

  /** Ask for the waveform once, when the sound has begun. */
  async #drawPeaks() {
    if (this.asked) return;
    this.asked = true;
    const peaks = await this.source.peaks?.(this.view.length);
    if (!peaks?.rows?.[0]?.length) return this.view.showNoPeaks();
    const drawn = { rows: peaks.rows, seconds: peaks.seconds || this.view.length };
    this.view.showPeaks(drawn, silences(drawn), isMono(drawn));
  }

  /** Ask for access again, load the sound again and go on at the same second: once, until it has played on. */
  async #repair() {
    if (this.repairing) return;
    this.repairing = true;
    const at = this.view.shown;
    this.heard.keep();
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
      // The element's own event follows if the sound cannot be loaded this time either.
      if (error.name !== "NotSupportedError") this.#giveUp(at, error);
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
    this.heard.report();
    this.audio.removeAttribute("src");
    this.audio.load();
    this.repairs = 0;
    this.start = at;
    this.#show();
    showProblem(error, this.element);
  }
}
