/**
 * A refusal with a stable code. `about` is a narrower reason, if there is one, and `message` an English sentence.
 *
 * Codes: KeyUnreadable PassphraseNeeded WrongPassphrase WrongKey Damaged NotSupported ChecksumMissing ChecksumDiffers.
 */
export class OpenProblem extends Error {
  constructor(code, message, about = "") {
    super(message);
    this.name = "OpenProblem";
    this.code = code;
    this.about = about;
  }
}
