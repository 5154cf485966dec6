// A sealed recording: whom it is sealed to, the command that opens it, and the way to open it here with one's own key.

import * as api from "./api.js";
import { percent } from "./dates.js";
import { field, fill, h, icon } from "./dom.js";
import { t } from "./language.js";
import { mediaType } from "./marks.js";
import { announce, guarded, sayProblem } from "./problems.js";
import { sealedBytes } from "./sealed-bytes.js";
import { onForget } from "./session.js";

// The opener keeps the keys in its worker until the page closes or the person signs out.
let opener = null;
let loadedKeys = [];
onForget(() => {
  opener?.close();
  [opener, loadedKeys] = [null, []];
});

export class SealedBox {
  /** `opened(blob)` is called with the plain recording, which never leaves the page. */
  constructor({ card, file, access, may, opened }) {
    Object.assign(this, { card, file, access, may, opened });
    this.recipients = h("ul", { class: "fingerprints" });
    this.commandPlace = h("div", { class: "command" });
    this.element = h(
      "section",
      { class: "sealed-box", test: "sealed", "aria-labelledby": "sealed-title" },
      h(
        "div",
        { class: "lead" },
        icon("sealed"),
        h("div", null, h("h2", { id: "sealed-title" }, t("sealed.title")), h("p", null, t("sealed.text"))),
      ),
      may.play && this.#form(),
      h("div", { class: "way" }, h("h3", null, t("sealed.recipients")), this.recipients),
      may.play &&
        h(
          "div",
          { class: "way" },
          h("h3", null, t("sealed.command")),
          h("p", { class: "hint" }, t("sealed.commandText")),
          this.commandPlace,
        ),
    );
    this.#showRecipients(file.recipients);
    if (may.play) this.#askCommand();
  }

  close() {
    this.stop?.abort();
  }

  #form() {
    this.key = h("input", { type: "file", test: "key-file", accept: ".pem,.key,.p12,.pfx,.asc,.gpg,.pgp,.der" });
    this.passphrase = h("input", { type: "password", test: "passphrase", autocomplete: "off" });
    this.button = h("button", { type: "submit", class: "primary", test: "open-key" }, icon("key"), t("sealed.open"));
    this.cancel = h(
      "button",
      { type: "button", class: "quiet", hidden: true, onclick: () => this.stop?.abort() },
      t("sealed.cancel"),
    );
    this.progress = h("progress", { max: 1, "aria-label": t("sealed.progress"), hidden: true });
    this.note = h("p", { class: "hint" });
    this.loaded = h("p", { class: "hint loaded" });
    this.form = h(
      "form",
      { class: "key" },
      h("h3", null, t("sealed.own")),
      this.loaded,
      h(
        "div",
        { class: "fields" },
        field(t("sealed.key"), this.key, { hint: t("sealed.kinds") }),
        field(t("sealed.passphrase"), this.passphrase, { hint: t("sealed.passphraseHint") }),
      ),
      h("div", { class: "row" }, this.button, this.cancel, this.note),
      this.progress,
      h("p", { class: "hint promise" }, icon("shield"), t("sealed.promise")),
    );
    this.form.addEventListener(
      "submit",
      guarded(
        () => this.#open(),
        () => this.form,
      ),
    );
    this.#showKeys();
    return this.form;
  }

  async #open() {
    if (this.stop) return;
    if (!this.key.files.length && !loadedKeys.length) {
      this.key.focus();
      return sayProblem(t("sealed.noKey"), this.form);
    }
    this.stop = new AbortController();
    let next = this.button;
    this.#busy(true, t("sealed.reading"));
    try {
      await this.#addKey();
      await this.access.ensure("play", this.file.n);
      const parts = await this.#parts(this.stop.signal);
      if (this.stop.signal.aborted) return;
      announce(t("sealed.opened"));
      this.opened(new Blob(parts, { type: mediaType(this.file) }));
    } catch (error) {
      if (this.stop.signal.aborted) return;
      if (["PassphraseNeeded", "WrongPassphrase"].includes(error.code)) next = this.passphrase;
      if (error.name === "AbortError") next = null;
      if (["ReasonRequired", "NotAllowed"].includes(error.code)) this.access.drop("play", this.file.n);
      throw error;
    } finally {
      this.#busy(false);
      this.stop = null;
      // A button that was disabled has lost the focus.
      if (next?.isConnected && !next.closest(".done")) next.focus();
    }
  }

  async #addKey() {
    const { Opener } = await import("/opener.js");
    opener ??= new Opener();
    const [file] = this.key.files;
    if (!file) return;
    const passphrase = this.passphrase.value;
    const added = await opener.addKey(await file.arrayBuffer(), passphrase);
    this.passphrase.value = "";
    this.key.value = "";
    loadedKeys.push(added);
    this.#showKeys();
  }

  #parts(signal) {
    const { file } = this;
    const onBytes = (bytes) => this.#progressed(file.size ? bytes / file.size : 0);
    const chunks = sealedBytes(api.filePath(this.card.id, file.n, "sealed"), file.size, { signal, onBytes });
    return opener.open(chunks, { envelope: file.sealed, size: file.size, sha256: file.sha256 ?? null });
  }

  #progressed(part) {
    this.progress.value = Math.min(1, part);
    const text = part < 1 ? t("sealed.fetching", { percent: percent(part) }) : t("sealed.verifying");
    if (this.note.textContent !== text) this.note.textContent = text;
  }

  #busy(on, text = "") {
    this.button.disabled = on;
    this.cancel.hidden = !on;
    this.progress.hidden = !on;
    this.progress.removeAttribute("value");
    this.note.textContent = text;
    if (on) announce(text);
  }

  #showKeys() {
    const shown = loadedKeys
      .flatMap(({ fingerprints }) => fingerprints)
      .map((print) => print.toUpperCase().slice(0, 16));
    fill(this.loaded, shown.length && t("sealed.loaded", { keys: shown.join(", ") }));
    this.loaded.hidden = !shown.length;
  }

  #showRecipients(prints) {
    fill(
      this.recipients,
      (prints ?? []).map((print) => h("li", null, h("code", null, print.toUpperCase()))),
    );
  }

  /** Ask for the audio, which the archive refuses with the recipients and the command. */
  async #askCommand() {
    try {
      await api.send("GET", api.filePath(this.card.id, this.file.n, "audio"), { headers: { Range: "bytes=0-0" } });
    } catch (error) {
      if (error.code === "SealedRecording") this.#showCommand(error.body);
      else if (error.code === "ReasonRequired") this.#offerCommand();
    }
  }

  #offerCommand() {
    const show = guarded(
      async () => {
        await this.access.ensure("play", this.file.n);
        await this.#askCommand();
      },
      () => this.commandPlace,
    );
    fill(this.commandPlace, h("button", { type: "button", onclick: show }, t("sealed.showCommand")));
  }

  #showCommand({ recipients, command }) {
    this.#showRecipients(recipients ?? this.file.recipients);
    const copied = async () => {
      await navigator.clipboard.writeText(command);
      announce(t("sealed.copied"));
      fill(copy, icon("check"), t("sealed.copied"));
    };
    const copy = h(
      "button",
      { type: "button", class: "quiet", onclick: guarded(copied, () => this.commandPlace) },
      icon("copy"),
      t("sealed.copy"),
    );
    fill(
      this.commandPlace,
      h("pre", { test: "command", tabindex: 0, role: "region", "aria-label": t("sealed.command") }, command),
      copy,
    );
  }
}
