// The alarm's sound: bursts of pulses after the patterns of IEC 60601-1-8 (no conformity claimed).
// Off until somebody at this screen switches it on; a browser would not play it sooner either.

import type { Priority } from "./contract.ts";
import type { ViewState } from "./state.ts";
import { needsAcknowledging } from "./alarms.ts";
import { audioPauseLeft_s, rankedAlarms, reception } from "./view.ts";

export interface Pulse {
  at_s: number;
  duration_s: number;
}

interface Pattern {
  pulses: readonly Pulse[];
  /** From the start of one burst to the start of the next. */
  repeat_s: number;
}

/** Ten pulses for high (3 + 2, twice), three for medium, two for low. */
export const PATTERNS: Record<Priority, Pattern> = {
  high: { pulses: burst(0.12, [0.1, 0.1, 0.32, 0.1, 0.6, 0.1, 0.1, 0.32, 0.1]), repeat_s: 6 },
  medium: { pulses: burst(0.18, [0.18, 0.18]), repeat_s: 9 },
  low: { pulses: burst(0.2, [0.2]), repeat_s: 20 },
};

function burst(duration_s: number, pauses_s: readonly number[]): Pulse[] {
  const pulses = [{ at_s: 0, duration_s }];
  for (const pause_s of pauses_s) {
    const last = pulses.at(-1) ?? { at_s: 0, duration_s };
    pulses.push({ at_s: last.at_s + duration_s + pause_s, duration_s });
  }
  return pulses;
}

/** What ought to be heard now: the highest alarm that nobody has acknowledged; silence is medium. */
export function audiblePriority(state: ViewState): Priority | null {
  if (reception(state) === "not receiving") return "medium";
  if (audioPauseLeft_s(state) > 0) return null;
  const first = rankedAlarms(state).open[0];
  return first === undefined || !needsAcknowledging(first) ? null : first.priority;
}

const FUNDAMENTAL_HZ: Record<Priority, number> = { high: 523, medium: 392, low: 330 };
const LOUDNESS = 0.25;
const EDGE_S = 0.015;

/** Plays the bursts; `heed` is called at every beat of the page's clock. */
export class AlarmSound {
  readonly #context = new AudioContext();
  #playing: Priority | null = null;
  #next_s = 0;

  heed(priority: Priority | null): void {
    const now_s = this.#context.currentTime;
    if (priority !== this.#playing) {
      this.#playing = priority;
      this.#next_s = now_s;
    }
    if (priority === null || now_s < this.#next_s) return;
    const { pulses, repeat_s } = PATTERNS[priority];
    for (const pulse of pulses) this.#sound(pulse, now_s + EDGE_S, FUNDAMENTAL_HZ[priority]);
    this.#next_s = now_s + repeat_s;
  }

  close(): void {
    void this.#context.close();
  }

  #sound(pulse: Pulse, from_s: number, fundamental_hz: number): void {
    // Harmonics, so that a speaker's gap at one frequency does not swallow the alarm.
    const tone = this.#context.createOscillator();
    const harmonics = Float32Array.of(0, 1, 0.6, 0.5, 0.4, 0.3);
    tone.setPeriodicWave(
      this.#context.createPeriodicWave(new Float32Array(harmonics.length), harmonics),
    );
    tone.frequency.value = fundamental_hz;
    const envelope = this.#context.createGain();
    const start_s = from_s + pulse.at_s;
    const end_s = start_s + pulse.duration_s;
    envelope.gain.setValueAtTime(0, start_s);
    envelope.gain.linearRampToValueAtTime(LOUDNESS, start_s + EDGE_S);
    envelope.gain.setValueAtTime(LOUDNESS, end_s - EDGE_S);
    envelope.gain.linearRampToValueAtTime(0, end_s);
    tone.connect(envelope).connect(this.#context.destination);
    tone.start(start_s);
    tone.stop(end_s);
  }
}
