/** The part of BER and DER (X.690) that CMS, PKCS #8 and PKCS #12 need, read in place. */

export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const NULL = 0x05;
export const OID = 0x06;
export const SEQUENCE = 0x30;
export const SET = 0x31;
const CONSTRUCTED = 0x20;
const MAX_DEPTH = 32;

/** The bytes that are here end before the element does. */
export class Truncated extends Error {}

/** The bytes are not BER, or are not the expected element. */
export class Malformed extends Error {}

/** Bytes of which the first `filled` are here. A reader of more throws Truncated. */
export class Source {
  constructor(bytes, filled = bytes.length) {
    this.bytes = bytes;
    this.filled = filled;
  }

  octet(at) {
    if (at >= this.filled) throw new Truncated("the data ends too early");
    return this.bytes[at];
  }

  view(from, to) {
    if (to > this.filled) throw new Truncated("the data ends too early");
    return this.bytes.subarray(from, to);
  }
}

/** A position in the contents of one element. `end` is its last octet's successor, or its container's if indefinite. */
export class Cursor {
  constructor(source, at, end, indefinite = false, depth = 0) {
    this.source = source;
    this.at = at;
    this.end = end;
    this.indefinite = indefinite;
    this.depth = depth;
  }

  static over(bytes) {
    return new Cursor(new Source(bytes), 0, bytes.length);
  }

  /** Return whether no element is left. */
  get done() {
    if (!this.indefinite) return this.at === this.end;
    return this.source.octet(this.at) === 0 && this.source.octet(this.at + 1) === 0;
  }

  /** Return the next element's first identifier octet, or -1 if no element is left. */
  peek() {
    return this.done ? -1 : this.source.octet(this.at);
  }

  /** Return the next element's identifier octet, and the limits of its contents (`to` is -1 if indefinite). */
  header() {
    if (this.done) throw new Malformed("an element is missing");
    const { source } = this;
    let at = this.at;
    const tag = source.octet(at++);
    if ((tag & ~CONSTRUCTED) === 0) throw new Malformed("a tag of end-of-contents");
    if ((tag & 0x1f) === 0x1f) {
      const first = at;
      while (source.octet(at++) & 0x80) if (at - first > 4) throw new Malformed("a tag is too long");
    }
    const octet = source.octet(at++);
    if (octet === 0x80) {
      if (!(tag & CONSTRUCTED)) throw new Malformed("a primitive element of indefinite length");
      return { tag, from: at, to: -1 };
    }
    let length = octet;
    if (octet > 0x80) {
      length = 0;
      for (let count = octet & 0x7f; count > 0; count--) {
        length = length * 256 + source.octet(at++);
        if (length > Number.MAX_SAFE_INTEGER) throw new Malformed("a length is too large");
      }
    }
    if (at + length > this.end) throw new Malformed("an element is longer than its container");
    return { tag, from: at, to: at + length };
  }

  /** Enter an element and return a cursor over its contents. Call leave() on that one before this one is used again. */
  enter(tag) {
    const { tag: found, from, to } = this.header();
    if (found !== tag) throw new Malformed(`tag ${found} instead of ${tag}`);
    if (!(tag & CONSTRUCTED)) throw new Malformed("a primitive element has no members");
    if (this.depth >= MAX_DEPTH) throw new Malformed("elements are nested too deeply");
    const inner = new Cursor(this.source, from, to < 0 ? this.end : to, to < 0, this.depth + 1);
    inner.outer = this;
    return inner;
  }

  /** Move the outer cursor behind this element, of which no member may be left. */
  leave() {
    if (!this.done) throw new Malformed("an element has more members than expected");
    this.outer.at = this.at + (this.indefinite ? 2 : 0);
    return this.outer;
  }

  /** Return an element's contents. A constructed string's pieces are joined. */
  primitive(tag) {
    if (this.peek() === (tag | CONSTRUCTED) && tag !== (tag | CONSTRUCTED)) return this.joined(tag);
    const { tag: found, from, to } = this.header();
    if (found !== tag) throw new Malformed(`tag ${found} instead of ${tag}`);
    const contents = this.source.view(from, to);
    this.at = to;
    return contents;
  }

  joined(tag) {
    const pieces = [...this.pieces(tag)].map(([from, to]) => this.source.view(from, to));
    return concat(...pieces);
  }

  /** Yield the limits of an octet string's pieces (one, if it is primitive), and move behind it. */
  *pieces(tag = OCTET_STRING) {
    if (this.peek() === tag) {
      const { from, to } = this.header();
      this.at = to;
      yield [from, to];
      return;
    }
    const inner = this.enter(tag | CONSTRUCTED);
    while (!inner.done) yield* inner.pieces(OCTET_STRING);
    inner.leave();
  }

  /** Return a whole element, with its header. */
  raw() {
    const start = this.at;
    this.skip();
    return this.source.view(start, this.at);
  }

  skip() {
    const { tag, to } = this.header();
    if (to >= 0) {
      this.at = to;
      return;
    }
    const inner = this.enter(tag);
    while (!inner.done) inner.skip();
    inner.leave();
  }

  skipIf(tag) {
    const found = this.peek() === tag;
    if (found) this.skip();
    return found;
  }

  octets() {
    return this.primitive(OCTET_STRING);
  }

  /** Return a BIT STRING of whole octets. */
  bits() {
    const contents = this.primitive(BIT_STRING);
    if (contents[0] !== 0) throw new Malformed("a bit string of no whole octets");
    return contents.subarray(1);
  }

  /** Return a non-negative INTEGER below 2^31. */
  number() {
    const contents = this.primitive(INTEGER);
    if (contents.length < 1 || contents.length > 4 || contents[0] > 0x7f) throw new Malformed("not a small number");
    return contents.reduce((value, octet) => value * 256 + octet, 0);
  }

  /** Return an OBJECT IDENTIFIER in dotted form. */
  oid() {
    const contents = this.primitive(OID);
    const arcs = [];
    let arc = 0;
    for (const octet of contents) {
      arc = arc * 128 + (octet & 0x7f);
      if (arc > Number.MAX_SAFE_INTEGER) throw new Malformed("an object identifier's arc is too large");
      if (octet < 0x80) {
        arcs.push(arc);
        arc = 0;
      }
    }
    if (!contents.length || contents.at(-1) > 0x7f) throw new Malformed("an object identifier is cut off");
    const root = Math.min(Math.floor(arcs[0] / 40), 2);
    return [root, arcs[0] - 40 * root, ...arcs.slice(1)].join(".");
  }

  /** Return an AlgorithmIdentifier: its OID, its encoding, and its parameters, a new cursor at each access. */
  algorithm() {
    const raw = this.raw().slice();
    return {
      oid: Cursor.over(raw).enter(SEQUENCE).oid(),
      raw,
      get parameters() {
        const members = Cursor.over(raw).enter(SEQUENCE);
        members.skip();
        return members;
      },
    };
  }
}

/** Return an element in DER. */
export function encode(tag, ...contents) {
  const size = contents.reduce((sum, one) => sum + one.length, 0);
  const length = [];
  for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest % 256);
  const head = size < 0x80 ? [tag, size] : [tag, 0x80 | length.length, ...length];
  return concat(Uint8Array.from(head), ...contents);
}

/** Return the parts as one array. */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Return whether two arrays have the same bytes. */
export function same(one, other) {
  return one.length === other.length && one.every((octet, index) => octet === other[index]);
}
