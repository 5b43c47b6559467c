// The messages of the live feed and the bodies of the REST API, as docs/contract.md states them.

export type Side = "left" | "right" | "";
export type CaseKind = "live" | "replay" | "simulated";
export type Priority = "low" | "medium" | "high";
export type AlarmState = "unconfirmed" | "active" | "acknowledged" | "latched" | "resolved";
export type BaselineState = "learning" | "usable" | "frozen" | "unreliable";
export type MeasuredStatus =
  | "response"
  | "no_response"
  | "rejected"
  | "late"
  | "gap"
  | "incomplete";

export interface Channel {
  channel: string;
  muscle: string;
  side: Side;
}

export interface CaseInfo {
  id: string;
  name: string;
  procedure: string;
  kind: CaseKind;
  fs_hz: number;
  channels: Channel[];
  pre_ms: number;
  post_ms: number;
  blank_before_ms: number;
  blank_after_ms: number;
  started_utc: string;
  version: string;
  network: { name: string; version: string; sha256: string } | null;
  alarm_percent: number;
  resolve_percent: number;
  baseline_usable: number;
  last_seq: number;
}

export interface ChannelTrial extends Channel {
  status: MeasuredStatus;
  reasons: string[];
  amplitude_uv: number | null;
  amplitude_upper_uv: number | null;
  onset_ms: number | null;
  duration_ms: number | null;
  snr: number | null;
  onset_uncertain?: boolean;
  baseline_uv: number | null;
  percent_of_baseline: number | null;
  comparable: boolean;
  alarm: string;
}

export interface Trial {
  trial: number;
  stimulus_s: number;
  setting: string;
  intensity: number | null;
  pulses_ms: number[];
  marker: string;
  channels: ChannelTrial[];
}

export interface Alarm {
  id: number;
  kind: string;
  class: "physiological" | "technical";
  priority: Priority;
  state: AlarmState;
  setting: string;
  channel: string;
  muscle: string;
  trial: number | null;
  percent_of_baseline: number | null;
  baseline_uv: number | null;
  amplitude_uv: number | null;
  scope: "focal" | "global" | "indeterminate";
  rule: string;
  evidence: Record<string, string | number | boolean | null>;
  raised_s: number;
  resolved_s: number | null;
  acknowledged_by: string;
  acknowledged_s: number | null;
}

export interface Baseline {
  id: number;
  setting: string;
  channel: string;
  muscle: string;
  state: BaselineState;
  amplitude_uv: number | null;
  onset_ms: number | null;
  accepted: number;
  responses: number;
  trials: number[];
  set_by: string;
  reason: string;
  spread: number | null;
  floor_uv: number | null;
  phases: number | null;
  sweep_uv: (number | null)[] | null;
  role: string;
  before_uv: number | null;
  overrode: number[];
}

/** A baseline that stands (`until` null) or stood, without its sweep; in UTC and case seconds. */
export interface PastBaseline {
  since: string;
  since_s: number;
  until: string | null;
  until_s: number | null;
  baseline: Baseline;
}

export interface Annotation {
  at_s: number;
  text: string;
  by: string;
}

export interface CaseStatus {
  at_s: number;
  state: "waiting" | "running" | "stalled" | "ended";
  message: string;
  audio_paused_until_s: number | null;
}

export interface Heartbeat {
  seq: number;
  engine_age_s: number | null;
  signal_age_s: number | null;
  trial_age_s: number | null;
  case_s: number | null;
  link: "up" | "lost";
}

export interface Snapshot {
  case: CaseInfo;
  channels: Channel[];
  status: CaseStatus | null;
  alarms: Alarm[];
  baselines: Baseline[];
  annotations: Annotation[];
  trials: Trial[];
}

interface Envelope<Type extends string, Body> {
  v: number;
  seq: number;
  t: string;
  sent: string;
  type: Type;
  body: Body;
}

export type Message =
  | Envelope<"snapshot", Snapshot>
  | Envelope<"trial", Trial>
  | Envelope<"alarm", Alarm>
  | Envelope<"baseline", Baseline>
  | Envelope<"annotation", Annotation>
  | Envelope<"status", CaseStatus>
  | Envelope<"heartbeat", Heartbeat>;

/** The sweeps of one trial as measured, in microvolts, a channel each. */
export interface Waveforms {
  trial: number;
  fs_hz: number;
  stimulus_index: number;
  sweeps_uv: ReadonlyMap<string, Float32Array>;
}

/** Why the network answered one sweep as it did; null throughout where `fault` kept it from it. */
export interface ExplainedChannel extends Channel {
  fault: string;
  response_probability: number | null;
  onset_ms: number | null;
  onset_sd_ms: number | null;
  novelty: number | null;
  novel: boolean;
  saliency: number[] | null;
}

export interface Explanation {
  trial: number;
  network: { name: string; version: string; sha256: string };
  fs_hz: number;
  window_start_ms: number;
  channels: ExplainedChannel[];
}

interface FrameHeader {
  case: string;
  trial: number;
  channels: string[];
  fs_hz: number;
  stimulus_index: number;
  n_samples: number;
}

/** Decode a binary frame of the feed. Throws a RangeError where the frame is cut short. */
export function decodeFrame(frame: ArrayBuffer): Waveforms & { case: string } {
  const headerBytes = new DataView(frame).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(frame, 4, headerBytes));
  const header = JSON.parse(text) as FrameHeader;
  const sweeps_uv = new Map<string, Float32Array>();
  header.channels.forEach((channel, row) => {
    const offset = 4 + headerBytes + 4 * row * header.n_samples;
    sweeps_uv.set(channel, new Float32Array(frame, offset, header.n_samples));
  });
  const { trial, fs_hz, stimulus_index } = header;
  return { case: header.case, trial, fs_hz, stimulus_index, sweeps_uv };
}
