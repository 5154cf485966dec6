// The waveform: two rows of peaks on a canvas, left upwards and right downwards. It is decorative; the slider over it is not.

const BAR = 2;
const GAP = 1;
const LONGEST = 600;
const RATE = 8000;
const PEAKS = 1000;

export class Waveform {
  constructor(canvas) {
    this.canvas = canvas;
    this.peaks = null;
    this.position = 0;
    this.loop = null;
    this.silences = [];
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(canvas);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.recolour = () => this.draw();
    this.scheme.addEventListener("change", this.recolour);
  }

  /** Show peaks `{rows, seconds}`, or a plain bar if there are none. */
  show(peaks) {
    this.peaks = peaks;
    this.draw();
  }

  /** Draw everything, at a position of 0 to 1. */
  draw(position = this.position) {
    this.position = position;
    const { canvas } = this;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width || !height) return;
    const scale = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const colours = this.#colours();
    this.#marks(context, width, height, colours);
    if (this.peaks) this.#bars(context, width, height, colours);
    else this.#line(context, width, height, colours);
  }

  close() {
    this.observer.disconnect();
    this.scheme.removeEventListener("change", this.recolour);
  }

  #colours() {
    const style = getComputedStyle(this.canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    return {
      left: colour("left"),
      right: colour("right"),
      rest: colour("rest"),
      silence: colour("silence"),
      loop: colour("loop"),
    };
  }

  #marks(context, width, height, colours) {
    const { seconds } = this.peaks ?? {};
    context.fillStyle = colours.silence;
    for (const [from, to] of seconds ? this.silences : []) {
      context.fillRect((from / seconds) * width, 0, ((to - from) / seconds) * width, height);
    }
    if (!this.loop) return;
    context.fillStyle = colours.loop;
    const [from, to] = this.loop;
    context.fillRect(from * width, 0, Math.max(2, (to - from) * width), height);
  }

  #bars(context, width, height, colours) {
    const [left, right] = this.peaks.rows;
    const count = Math.max(1, Math.floor(width / (BAR + GAP)));
    const played = this.position * width;
    const half = height / 2;
    const loudest = Math.max(24, (this.peaks.loudest ??= Math.max(...left, ...right)));
    for (let index = 0; index < count; index += 1) {
      const from = Math.floor((index / count) * left.length);
      const to = Math.max(from + 1, Math.floor(((index + 1) / count) * left.length));
      const x = index * (BAR + GAP);
      const tall = (row) => Math.max(1, (Math.max(...row.slice(from, to)) / loudest) * (half - 3));
      const up = tall(left);
      context.fillStyle = x < played ? colours.left : colours.rest;
      context.fillRect(x, half - 0.5 - up, BAR, up);
      context.fillStyle = x < played ? colours.right : colours.rest;
      context.fillRect(x, half + 0.5, BAR, tall(right));
    }
  }

  #line(context, width, height, colours) {
    const top = height / 2 - 3;
    context.fillStyle = colours.rest;
    context.beginPath();
    context.roundRect(0, top, width, 6, 3);
    context.fill();
    context.fillStyle = colours.left;
    context.beginPath();
    context.roundRect(0, top, this.position * width, 6, 3);
    context.fill();
  }
}

/** Return whether both sides of a recording are the same. */
export function isMono({ rows: [left, right] }) {
  return left.every((value, index) => value === right[index]);
}

/** Return the peaks of a recording that the page has, or null if it is longer than 10 minutes or cannot be decoded. */
export async function peaksOf(blob, seconds) {
  if (!seconds || seconds > LONGEST) return null;
  try {
    const context = new OfflineAudioContext(1, 1, RATE);
    const sound = await context.decodeAudioData(await blob.arrayBuffer());
    const left = peaksOfSide(sound.getChannelData(0));
    const right = sound.numberOfChannels > 1 ? peaksOfSide(sound.getChannelData(1)) : left;
    return { rows: [left, right], seconds: sound.duration };
  } catch {
    return null;
  }
}

function peaksOfSide(samples) {
  return Array.from({ length: PEAKS }, (_, index) => {
    const to = Math.floor(((index + 1) / PEAKS) * samples.length);
    let most = 0;
    for (let at = Math.floor((index / PEAKS) * samples.length); at < to; at += 1)
      most = Math.max(most, Math.abs(samples[at]));
    return Math.min(255, Math.round(most * 255));
  });
}
