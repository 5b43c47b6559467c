// What the page knows of the case: a pure fold of the feed's messages. Time is an argument, in ms
// of the browser's monotonic clock, so that silence is judged without trusting any wall clock.

import type {
  Alarm,
  Annotation,
  Baseline,
  CaseInfo,
  CaseStatus,
  Channel,
  Heartbeat,
  Message,
  Trial,
  Waveforms,
} from "./contract.ts";

/** Two heartbeats of one a second are missing: the page says so well within 3 s of the last. */
export const SILENCE_MS = 2200;

/** Trials kept for the trend; a snapshot carries as many. */
const TRIALS_KEPT = 500;

export interface ViewState {
  caseInfo: CaseInfo | null;
  channels: readonly Channel[];
  status: CaseStatus | null;
  alarms: ReadonlyMap<number, Alarm>;
  baselines: ReadonlyMap<string, Baseline>;
  annotations: readonly Annotation[];
  /** In the order of their stimuli: a marker that came late is not the newest trial. */
  trials: readonly Trial[];
  waveforms: Waveforms | null;
  /** The last event that is part of this state; 0 before the first. */
  seq: number;
  heartbeat: Heartbeat | null;
  heartbeatAtMs: number;
  startedAtMs: number;
  lastMessageAtMs: number | null;
  nowMs: number;
}

export type Input =
  | { type: "message"; message: Message; atMs: number }
  | { type: "waveforms"; waveforms: Waveforms; atMs: number }
  | { type: "clock"; atMs: number };

export function initialState(atMs: number): ViewState {
  return {
    caseInfo: null,
    channels: [],
    status: null,
    alarms: new Map(),
    baselines: new Map(),
    annotations: [],
    trials: [],
    waveforms: null,
    seq: 0,
    heartbeat: null,
    heartbeatAtMs: atMs,
    startedAtMs: atMs,
    lastMessageAtMs: null,
    nowMs: atMs,
  };
}

export function baselineKey(setting: string, channel: string): string {
  return `${setting}\n${channel}`;
}

/**
 * Whether a message continues this state. `seen`: it is part of it already (a reconnection told it
 * again). `gap`: events are missing between the two, so the caller must take up the feed anew from
 * `state.seq`; applying the message would hide what was lost.
 */
export function continuity(state: ViewState, message: Message): "next" | "seen" | "gap" {
  if (message.type === "snapshot") return "next";
  if (message.type === "heartbeat") {
    // A heartbeat may overtake one event that is on its way; two in a row do not.
    const behind = message.seq > state.seq && (state.heartbeat?.seq ?? 0) > state.seq;
    return behind ? "gap" : "next";
  }
  if (state.caseInfo === null || message.seq > state.seq + 1) return "gap";
  return message.seq <= state.seq ? "seen" : "next";
}

/** The state after one input. Messages that do not continue it count as a sign of life only. */
export function reduce(state: ViewState, input: Input): ViewState {
  const nowMs = Math.max(state.nowMs, input.atMs);
  switch (input.type) {
    case "clock":
      return { ...state, nowMs };
    case "waveforms":
      // Sweeps of an older trial are of no use, and no sign of life: they may have been asked for.
      return input.waveforms.trial === state.trials.at(-1)?.trial
        ? { ...state, nowMs, waveforms: input.waveforms }
        : { ...state, nowMs };
    case "message": {
      const heard = { ...state, nowMs, lastMessageAtMs: nowMs };
      const { message } = input;
      if (message.type === "heartbeat") {
        return { ...heard, heartbeat: message.body, heartbeatAtMs: nowMs };
      }
      return continuity(state, message) === "next" ? fold(heard, message) : heard;
    }
  }
}

function fold(state: ViewState, message: Exclude<Message, { type: "heartbeat" }>): ViewState {
  const seq = message.seq;
  switch (message.type) {
    case "snapshot": {
      const { body } = message;
      const sameCase = state.caseInfo?.id === body.case.id;
      return {
        ...state,
        seq,
        caseInfo: body.case,
        channels: body.channels,
        status: body.status,
        alarms: new Map(body.alarms.map((alarm) => [alarm.id, alarm])),
        baselines: new Map(
          body.baselines.map((baseline) => [
            baselineKey(baseline.setting, baseline.channel),
            baseline,
          ]),
        ),
        annotations: body.annotations,
        trials: byStimulus(body.trials),
        waveforms: sameCase ? state.waveforms : null,
        heartbeat: sameCase ? state.heartbeat : null,
      };
    }
    case "trial":
      return { ...state, seq, trials: byStimulus([...state.trials, message.body]) };
    case "alarm":
      return { ...state, seq, alarms: new Map(state.alarms).set(message.body.id, message.body) };
    case "baseline": {
      const key = baselineKey(message.body.setting, message.body.channel);
      return { ...state, seq, baselines: new Map(state.baselines).set(key, message.body) };
    }
    case "annotation":
      return { ...state, seq, annotations: [...state.annotations, message.body] };
    case "status":
      return { ...state, seq, status: message.body };
  }
}

function byStimulus(trials: readonly Trial[]): readonly Trial[] {
  return trials.toSorted((a, b) => a.stimulus_s - b.stimulus_s).slice(-TRIALS_KEPT);
}
