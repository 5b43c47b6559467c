// The REST calls of the page. Addresses are relative to the page's own, wherever it is served.

import type { CaseInfo, Explanation, PastBaseline, Waveforms } from "./contract.ts";

const PATIENCE_MS = 4000;

function address(path: string): URL {
  return new URL(`api/v1/${path}`, document.baseURI);
}

const RECEIVER = "mep-monitor.receiver";

/** By what name this display confirms alarms: the browser's own, so that it is known again. */
function receiverName(): string {
  const known = localStorage.getItem(RECEIVER);
  if (known !== null) return known;
  const digits = [...crypto.getRandomValues(new Uint8Array(3))];
  const name = `display ${digits.map((d) => d.toString(16).padStart(2, "0")).join("")}`;
  localStorage.setItem(RECEIVER, name);
  return name;
}

/** The address of the live feed, taken up after event `since`, or from a snapshot. */
export function feedAddress(since: number | null): URL {
  const url = address("live");
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("waveforms", "1");
  url.searchParams.set("receiver", receiverName());
  if (since !== null) url.searchParams.set("since", String(since));
  return url;
}

async function call<Body>(path: string, init?: RequestInit): Promise<Body> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const answer = await fetch(address(path), { ...init, signal, cache: "no-store" });
  if (!answer.ok) {
    const body = (await answer.json().catch(() => null)) as { detail?: unknown } | null;
    const detail = body?.detail;
    throw new Error(typeof detail === "string" ? detail : `the monitor answered ${answer.status}`);
  }
  return (await answer.json()) as Body;
}

function post(path: string, body: object): Promise<unknown> {
  return call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

export function fetchCase(): Promise<CaseInfo> {
  return call("case");
}

/** JSON has no NaN: where a sample is missing it says null. */
function microvolts(samples: (number | null)[]): Float32Array {
  return Float32Array.from(samples, (uv) => uv ?? NaN);
}

/** The sweeps of one trial as measured. */
export async function fetchWaveforms(trial: number): Promise<Waveforms> {
  const body = await call<{
    fs_hz: number;
    stimulus_index: number;
    channels: string[];
    samples_uv: (number | null)[][];
  }>(`trials/${trial}/waveform`);
  const sweeps_uv = new Map(
    body.channels.map((channel, row) => [channel, microvolts(body.samples_uv[row] ?? [])]),
  );
  return { trial, fs_hz: body.fs_hz, stimulus_index: body.stimulus_index, sweeps_uv };
}

/** What of a trial's sweeps spoke to the network for a response. */
export function fetchExplanation(trial: number): Promise<Explanation> {
  return call(`trials/${trial}/explanation`);
}

export function acknowledge(alarmId: number, by: string): Promise<unknown> {
  return post(`alarms/${alarmId}/acknowledge`, { by });
}

/** What a new baseline takes; `amplitude_uv` null: learned from the next accepted trials. */
export interface NewBaseline {
  by: string;
  role: string;
  reason: string;
  setting: string;
  group: readonly string[];
  amplitude_uv: number | null;
  override: boolean;
}

export function setBaseline(baseline: NewBaseline): Promise<unknown> {
  return post("baselines", baseline);
}

/** Every baseline of the case that stands or stood, oldest first. */
export function fetchBaselineHistory(): Promise<PastBaseline[]> {
  return call("baselines/history");
}

export function annotate(text: string, by: string): Promise<unknown> {
  return post("annotations", { text, by });
}

export function pauseAudio(seconds: number, by: string): Promise<unknown> {
  return post("audio-pause", { seconds, by });
}
