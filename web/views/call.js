// One call: player or sealed box, facts, dates, files, who listened, and what one may do with it.

import { Access } from "../access.js";
import * as api from "../api.js";
import { dates, facts, files, notices, trail } from "../call-sections.js";
import { exact, full } from "../dates.js";
import { fill, h, icon } from "../dom.js";
import { t } from "../language.js";
import { fileName, isSealed, lengthOf, marks, parties, plainName, recordings } from "../marks.js";
import { Player } from "../player.js";
import { announce, guarded } from "../problems.js";
import { ReasonField } from "../reason.js";
import { around } from "../results.js";
import { SealedBox } from "../sealed.js";
import { ShareForm } from "../share.js";
import { peaksOf } from "../waveform.js";

// While it plays, an access is renewed when it has less than this left, so that what was heard can be reported.
const KEPT = 60 * 1000;

/** Return the view of a call. */
export async function call({ id, me }) {
  const card = await api.readCall(id);
  const view = new CallView(card, me);
  return { title: view.title, element: view.element, leave: () => view.close() };
}

class CallView {
  constructor(card, me) {
    this.card = card;
    this.may = Object.fromEntries(me.may.map((action) => [action, true]));
    const asked = ["play", "download", "share"].filter((action) => this.may[action] && me.reason_for.includes(action));
    this.reason = new ReasonField(asked, () => this.player?.toggle());
    this.access = new Access(card.id, this.reason);
    this.title = t("call.title", { time: exact(card.started) });
    this.files = recordings(card);
    this.file = this.files.find((file) => !isSealed(file)) ?? this.files[0];
    this.stage = h("div", { class: "stage" });
    this.actions = h("div", { class: "row actions" });
    this.panel = h("div", { class: "panel" });
    this.element = h(
      "article",
      { class: "call" },
      this.#head(),
      notices(card),
      !card.erasure_pending && this.#sound(),
      h(
        "div",
        { class: "columns" },
        facts(card),
        h(
          "div",
          null,
          dates(card, this.may),
          files(card, (file) => this.#offered(file)),
        ),
      ),
      this.may.audit && trail(card),
    );
    if (!card.erasure_pending) this.#choose(this.file);
  }

  close() {
    this.player?.close();
    this.sealed?.close();
    if (this.blobUrl) URL.revokeObjectURL(this.blobUrl);
    this.blobUrl = null;
  }

  #sound() {
    return h(
      "section",
      { class: "card sound", "aria-label": t("call.recording") },
      this.files.length > 1 && this.#chooser(),
      this.file && this.#reason(),
      this.stage,
      this.actions,
      this.panel,
    );
  }

  #reason() {
    return this.may.play || this.may.download || this.may.share ? this.reason.element : null;
  }

  #head() {
    const { card } = this;
    const { list, newer, older } = around(card.id);
    const step = (id, key, name) =>
      id &&
      h(
        "a",
        { href: `/calls/${id}`, class: "step" },
        name === "newer" && icon("left"),
        t(key),
        name === "older" && icon("rightward"),
      );
    return h(
      "header",
      { class: "head" },
      h(
        "nav",
        { class: "steps", "aria-label": t("call.steps") },
        h("a", { href: list, class: "step back", "data-back": true }, icon("back"), t("call.back")),
        h("span", { class: "spring" }),
        step(newer, "call.newer", "newer"),
        step(older, "call.older", "older"),
      ),
      h("h1", null, h("time", { datetime: card.started }, full(card.started))),
      h(
        "p",
        { class: "who" },
        parties(card),
        card.seconds != null && [" · ", lengthOf(card)],
        card.agent && ` · ${card.agent}`,
      ),
      h("p", { class: "marks" }, marks(card)),
    );
  }

  #chooser() {
    const select = h(
      "select",
      { id: "file" },
      this.files.map((file) =>
        h("option", { value: file.n }, `${plainName(file)}${isSealed(file) ? ` (${t("mark.sealed")})` : ""}`),
      ),
    );
    select.value = String(this.file.n);
    select.addEventListener("change", () => this.#choose(this.files.find((file) => file.n === Number(select.value))));
    return h("div", { class: "field chooser" }, h("label", { for: "file" }, t("call.file")), select);
  }

  #choose(file) {
    this.close();
    this.player = this.sealed = null;
    this.file = file;
    fill(this.panel);
    fill(this.actions);
    if (!file) return fill(this.stage, h("p", { class: "empty" }, t("call.noRecording")));
    if (isSealed(file)) this.#seal(file);
    else if (this.may.play) this.#play(file);
    else fill(this.stage, h("p", { class: "empty" }, t("call.mayNotPlay")));
    this.#act(file);
  }

  #play(file) {
    const { id } = this.card;
    this.player = new Player({
      seconds: this.card.seconds,
      source: {
        ...this.#source(file),
        url: () => api.filePath(id, file.n, "audio"),
        peaks: () => api.waveform(id, file.n).catch(() => null),
        explain: () => this.#explain(file),
      },
    });
    fill(this.stage, this.player.element);
  }

  #seal(file) {
    const opened = (blob) => {
      this.blobUrl = URL.createObjectURL(blob);
      const source = {
        ...this.#source(file),
        url: () => this.blobUrl,
        peaks: (seconds) => peaksOf(blob, seconds),
        explain: async () => {},
      };
      this.player = new Player({ seconds: this.card.seconds, source });
      const text = h("h2", { class: "opened" }, icon("unsealed"), t("sealed.openedText"));
      fill(this.stage, text, this.player.element, this.sealed.element);
      this.sealed.element.classList.add("done");
      this.player.focus();
    };
    this.sealed = new SealedBox({ card: this.card, file, access: this.access, may: this.may, opened });
    fill(this.stage, this.sealed.element);
  }

  #source(file) {
    return {
      prepare: () => this.access.ensure("play", file.n),
      keep: () => this.access.ensure("play", file.n, KEPT),
      renew: () => this.access.renew("play", file.n),
      played: (seconds) => api.reportPlayed(this.card.id, file.n, seconds),
    };
  }

  /** Ask for a byte of the recording, and throw why it is refused. An access that has ended is only asked for again. */
  async #explain(file) {
    try {
      await api.send("GET", api.filePath(this.card.id, file.n, "audio"), { headers: { Range: "bytes=0-0" } });
    } catch (error) {
      if (error.code !== "ReasonRequired") throw error;
      this.access.drop("play", file.n);
    }
  }

  #act(file) {
    const load = h(
      "button",
      { type: "button", test: "download", onclick: this.#downloads(file) },
      icon("download"),
      t("call.download"),
    );
    this.share =
      this.may.share && !isSealed(file) ? new ShareForm({ card: this.card, file, reason: this.reason }) : null;
    fill(this.actions, this.may.download && load, this.share?.toggle);
    fill(this.panel, this.share?.element);
  }

  /** Return what downloads a file of the archive, beside the recording that the view is about. */
  #offered(file) {
    const isOther = file.destination === "archive" && file !== this.file && !this.card.erasure_pending;
    return isOther && this.may.download ? this.#downloads(file) : null;
  }

  #downloads(file) {
    return guarded(
      async () => {
        await this.access.ensure("download", file.n);
        const { url } = await api.download(this.card.id, file.n);
        announce(t("call.downloading", { name: fileName(file) }));
        location.assign(url);
      },
      () => this.actions.parentElement,
    );
  }
}
