// Each side of a recording with its own volume, by Web Audio. The graph is made when a side first changes.

export class Sides {
  constructor(audio) {
    this.audio = audio;
    this.volumes = [1, 1];
    this.gains = null;
  }

  /** Set the volume (0 to 1) of the left (0) or right (1) side. */
  set(side, volume) {
    this.volumes[side] = volume;
    if (!this.gains) {
      if (volume === 1) return;
      this.#connect();
    }
    this.gains[side].gain.value = volume;
    this.context.resume();
  }

  close() {
    this.context?.close();
  }

  #connect() {
    this.context = new AudioContext();
    const source = this.context.createMediaElementSource(this.audio);
    // A recording with one channel is put on both sides before they are split.
    const both = new GainNode(this.context, {
      channelCount: 2,
      channelCountMode: "explicit",
      channelInterpretation: "speakers",
    });
    const splitter = this.context.createChannelSplitter(2);
    const merger = this.context.createChannelMerger(2);
    this.gains = [0, 1].map((side) => {
      const gain = new GainNode(this.context, { gain: this.volumes[side] });
      splitter.connect(gain, side);
      gain.connect(merger, 0, side);
      return gain;
    });
    source.connect(both).connect(splitter);
    merger.connect(this.context.destination);
  }
}
