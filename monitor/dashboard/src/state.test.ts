import assert from "node:assert/strict";
import { test } from "node:test";

import { type Alarm, type Message, type Snapshot, type Trial, decodeFrame } from "./contract.ts";
import { type ViewState, continuity, initialState, reduce } from "./state.ts";
import { reception } from "./view.ts";

function message<T extends Message["type"]>(type: T, seq: number, body: object): Message {
  return { v: 1, seq, t: "", sent: "", type, body } as unknown as Message;
}

function trial(n: number): Partial<Trial> {
  return { trial: n, stimulus_s: 10 * n, setting: "s", pulses_ms: [0], channels: [] };
}

function alarm(id: number, changes: Partial<Alarm> = {}): Partial<Alarm> {
  return { id, state: "active", priority: "high", raised_s: 1, acknowledged_by: "", ...changes };
}

function snapshot(seq: number, changes: Partial<Snapshot> = {}): Message {
  const body = { channels: [], status: null, alarms: [], baselines: [], annotations: [], trials: [] };
  return message("snapshot", seq, { case: { id: "a" }, ...body, ...changes });
}

function hear(state: ViewState, ...messages: Message[]): ViewState {
  return messages.reduce(
    (now, m, i) => reduce(now, { type: "message", message: m, atMs: now.nowMs + i }),
    state,
  );
}

test("events after the snapshot are folded in order", () => {
  const state = hear(
    initialState(0),
    snapshot(3, { trials: [trial(1) as Trial] }),
    message("trial", 4, trial(2)),
    message("alarm", 5, alarm(7)),
    message("alarm", 6, alarm(7, { state: "acknowledged", acknowledged_by: "AB" })),
    message("annotation", 7, { at_s: 3, text: "Incision", by: "AB" }),
  );
  assert.equal(state.seq, 7);
  assert.deepEqual(state.trials.map((t) => t.trial), [1, 2]);
  assert.equal(state.alarms.size, 1);
  assert.equal(state.alarms.get(7)?.acknowledged_by, "AB");
  assert.equal(state.annotations.length, 1);
});

test("a trial whose marker came late takes its place in time", () => {
  const late = { ...trial(3), stimulus_s: 15 };
  const state = hear(
    initialState(0),
    snapshot(0),
    message("trial", 1, trial(1)),
    message("trial", 2, trial(2)),
    message("trial", 3, late),
  );
  assert.deepEqual(state.trials.map((t) => t.trial), [1, 3, 2]);
});

test("a baseline replaces that of its own setting and channel only", () => {
  const one = { setting: "C3-C4", channel: "LTA", amplitude_uv: 400 };
  const state = hear(
    initialState(0),
    snapshot(0),
    message("baseline", 1, one),
    message("baseline", 2, { ...one, setting: "C1-C2", amplitude_uv: 300 }),
    message("baseline", 3, { ...one, amplitude_uv: 410 }),
  );
  assert.deepEqual([...state.baselines.values()].map((b) => b.amplitude_uv), [410, 300]);
});

test("what a reconnection tells again is not counted twice", () => {
  const state = hear(initialState(0), snapshot(0), message("trial", 1, trial(1)));
  const again = message("trial", 1, trial(1));
  assert.equal(continuity(state, again), "seen");
  assert.equal(hear(state, again).trials.length, 1);
});

test("an event beyond the next one is a gap and is not applied", () => {
  const state = hear(initialState(0), snapshot(4));
  const beyond = message("trial", 6, trial(1));
  assert.equal(continuity(state, beyond), "gap");
  const after = hear(state, beyond);
  assert.equal(after.seq, 4);
  assert.equal(after.trials.length, 0);
});

test("events without a snapshot before them are a gap", () => {
  assert.equal(continuity(initialState(0), message("trial", 1, trial(1))), "gap");
});

test("two heartbeats ahead of the state are a gap, one is not", () => {
  const ahead = message("heartbeat", 5, { seq: 5, link: "up" });
  const state = hear(initialState(0), snapshot(4));
  assert.equal(continuity(state, ahead), "next");
  assert.equal(continuity(hear(state, ahead), ahead), "gap");
});

test("another case starts from nothing", () => {
  const first = hear(
    initialState(0),
    snapshot(2, { trials: [trial(1) as Trial] }),
    message("alarm", 3, alarm(1)),
  );
  const sweeps = { trial: 1, fs_hz: 5000, stimulus_index: 0, sweeps_uv: new Map() };
  const shown = reduce(first, { type: "waveforms", waveforms: sweeps, atMs: 10 });
  assert.equal(shown.waveforms, sweeps);
  const other = hear(shown, message("snapshot", 0, { ...snapshot(0).body, case: { id: "b" } }));
  assert.equal(other.alarms.size, 0);
  assert.equal(other.seq, 0);
  assert.equal(other.waveforms, null);
});

test("sweeps count for the last trial only", () => {
  const state = hear(initialState(0), snapshot(0), message("trial", 1, trial(1)));
  const sweeps = (n: number) => ({ trial: n, fs_hz: 5000, stimulus_index: 0, sweeps_uv: new Map() });
  const shown = reduce(state, { type: "waveforms", waveforms: sweeps(1), atMs: 20 });
  const after = hear(shown, message("trial", 2, trial(2)));
  const late = reduce(after, { type: "waveforms", waveforms: sweeps(1), atMs: 90 });
  assert.equal(late.waveforms, shown.waveforms);
  assert.equal(late.lastMessageAtMs, after.lastMessageAtMs);
});

test("silence is noticed within 3 s of the last message, and ends with the next", () => {
  const heard = hear(initialState(0), snapshot(0), message("heartbeat", 0, { seq: 0, link: "up" }));
  const at = (ms: number) => reduce(heard, { type: "clock", atMs: heard.nowMs + ms });
  assert.equal(reception(at(2000)), "receiving");
  assert.equal(reception(at(2750)), "not receiving");
  const back = hear(at(9000), message("heartbeat", 0, { seq: 0, link: "up" }));
  assert.equal(reception(back), "receiving");
});

test("a lost engine is not receiving, however well the gateway speaks", () => {
  const state = hear(initialState(0), snapshot(0), message("heartbeat", 0, { seq: 0, link: "lost" }));
  assert.equal(reception(state), "not receiving");
});

test("a page that never heard anything says so after the same time", () => {
  assert.equal(reception(initialState(0)), "connecting");
  assert.equal(reception(reduce(initialState(0), { type: "clock", atMs: 2750 })), "not receiving");
});

test("time never runs backwards", () => {
  const state = reduce(initialState(100), { type: "clock", atMs: 40 });
  assert.equal(state.nowMs, 100);
});

test("a binary frame gives each channel its own sweep", () => {
  const header = JSON.stringify({
    case: "a",
    trial: 9,
    channels: ["LTA", "RTA"],
    fs_hz: 5000,
    stimulus_index: 1,
    n_samples: 3,
  });
  const padded = header + " ".repeat((4 - ((4 + header.length) % 4)) % 4);
  const frame = new ArrayBuffer(4 + padded.length + 24);
  new DataView(frame).setUint32(0, padded.length, true);
  new Uint8Array(frame, 4).set(new TextEncoder().encode(padded));
  new Float32Array(frame, 4 + padded.length).set([1, 2, 3, 4, 5, 6]);
  const waveforms = decodeFrame(frame);
  assert.equal(waveforms.trial, 9);
  assert.deepEqual([...(waveforms.sweeps_uv.get("RTA") ?? [])], [4, 5, 6]);
  assert.throws(() => decodeFrame(frame.slice(0, frame.byteLength - 4)), RangeError);
});
