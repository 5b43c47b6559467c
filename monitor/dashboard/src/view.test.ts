import assert from "node:assert/strict";
import { test } from "node:test";

import type { Alarm, Baseline, ChannelTrial, Trial } from "./contract.ts";
import { type ViewState, initialState } from "./state.ts";
import { alarm } from "./example.ts";
import { age, clock, microvolts } from "./figures.ts";
import {
  alarmPercent,
  caseWord,
  cellWords,
  halfScale_uv,
  logEntries,
  muscleRows,
  rankedAlarms,
  trialAge_s,
} from "./view.ts";

function row(changes: Partial<ChannelTrial>): ChannelTrial {
  return {
    channel: "LTA",
    muscle: "TA",
    side: "left",
    status: "response",
    reasons: [],
    amplitude_uv: 100,
    amplitude_upper_uv: null,
    onset_ms: 33,
    duration_ms: 20,
    snr: 20,
    baseline_uv: 400,
    percent_of_baseline: 25,
    comparable: true,
    alarm: "",
    ...changes,
  };
}

function baseline(changes: Partial<Baseline>): Baseline {
  return {
    id: 1,
    setting: "s",
    channel: "LTA",
    muscle: "TA",
    state: "frozen",
    amplitude_uv: 400,
    onset_ms: 33,
    accepted: 10,
    responses: 10,
    trials: [],
    set_by: "",
    reason: "",
    spread: null,
    floor_uv: null,
    phases: null,
    sweep_uv: null,
    role: "",
    before_uv: null,
    overrode: [],
    ...changes,
  };
}

function withAlarms(...alarms: Alarm[]): ViewState {
  return { ...initialState(0), alarms: new Map(alarms.map((a) => [a.id, a])) };
}

function trial(n: number, ...channels: ChannelTrial[]): Trial {
  return {
    trial: n,
    stimulus_s: 10 * n,
    setting: "s",
    intensity: null,
    pulses_ms: [0],
    marker: "",
    channels,
  };
}

test("what nobody has acknowledged comes first, then the priority, then the newest", () => {
  const state = withAlarms(
    alarm({ id: 1, priority: "high", state: "acknowledged", raised_s: 50 }),
    alarm({ id: 2, priority: "low", state: "unconfirmed", raised_s: 40 }),
    alarm({ id: 3, priority: "high", raised_s: 10 }),
    alarm({ id: 4, priority: "high", state: "latched", raised_s: 30 }),
    alarm({ id: 5, priority: "high", state: "resolved", raised_s: 60 }),
  );
  const { open, resolved } = rankedAlarms(state);
  assert.deepEqual(open.map((a) => a.id), [4, 3, 2, 1]);
  assert.deepEqual(resolved.map((a) => a.id), [5]);
});

test("an alarm shows what its muscle does now, and nothing once it is gone", () => {
  const later = [trial(6, row({ percent_of_baseline: 12 })), trial(7, row({ comparable: false }))];
  const state = { ...withAlarms(), trials: later };
  assert.equal(alarmPercent(state, alarm({})), 12);
  assert.equal(alarmPercent(state, alarm({ trial: 7 })), 30);
  assert.equal(alarmPercent(state, alarm({ state: "latched" })), null);
});

test("left and right lie side by side; channels without a side fill rows", () => {
  const rows = muscleRows([
    { channel: "RTA", muscle: "TA", side: "right" },
    { channel: "LTA", muscle: "TA", side: "left" },
    { channel: "EMG1", muscle: "EMG1", side: "" },
    { channel: "LAH", muscle: "AH", side: "left" },
    { channel: "LAH2", muscle: "AH", side: "left" },
  ]);
  const names = rows.map((r) => r.cells.map((c) => c?.channel ?? null));
  assert.deepEqual(names, [
    ["LTA", "RTA"],
    ["LAH", null],
    ["EMG1", "LAH2"],
  ]);
});

test("a cell says why there is no figure", () => {
  assert.equal(cellWords(row({ status: "gap", reasons: ["signal_gap"] }), null, 5).detail, "signal gap");
  assert.equal(cellWords(row({ status: "rejected", reasons: ["nan"] }), null, 5).headline, "REJECTED");
  assert.equal(cellWords(row({}), baseline({}), 5).detail, "");
  assert.equal(cellWords(row({}), null, 5).detail, "no baseline");
  assert.equal(cellWords(row({ comparable: false }), baseline({}), 5).detail, "not comparable");
  const silent = row({ status: "no_response", amplitude_uv: 0, amplitude_upper_uv: 18.4 });
  assert.equal(cellWords(silent, baseline({}), 5).detail, "below 18 µV");
  const learning = cellWords(row({ comparable: false }), baseline({ state: "learning", responses: 1 }), 5);
  assert.equal(learning.detail, "baseline 1 of 5");
});

test("the scale hangs on the baseline and not on the sweep", () => {
  const known = baseline({ sweep_uv: [0, 250, -140] });
  assert.equal(halfScale_uv(known, 20), halfScale_uv(known, 5000));
  assert.equal(halfScale_uv(known, 20), 500);
  assert.equal(halfScale_uv(null, 700), 1000);
  assert.equal(halfScale_uv(null, 0), 10);
});

test("the age of the last trial goes on counting after the last message", () => {
  const heartbeat = {
    seq: 0,
    engine_age_s: 0,
    signal_age_s: 0,
    trial_age_s: 4,
    case_s: 60,
    link: "up" as const,
  };
  const state = { ...initialState(0), heartbeat, heartbeatAtMs: 1000, nowMs: 7500 };
  assert.equal(trialAge_s(state), 10.5);
});

test("the case's state is never green without messages", () => {
  const running = { at_s: 0, state: "running" as const, message: "", audio_paused_until_s: null };
  const heard = { ...initialState(0), status: running, lastMessageAtMs: 0 };
  assert.equal(caseWord({ ...heard, nowMs: 1000 }).word, "RUNNING");
  assert.equal(caseWord({ ...heard, nowMs: 3000 }).word, "NOT RECEIVING");
  const stalled = { ...running, state: "stalled" as const };
  assert.equal(caseWord({ ...heard, status: stalled, nowMs: 1000 }).word, "STALLED");
});

test("the log holds remarks and every turn of an alarm, newest first", () => {
  const state = {
    ...withAlarms(alarm({ acknowledged_s: 20, acknowledged_by: "AB", resolved_s: 30 })),
    annotations: [{ at_s: 15, text: "Screw", by: "CD" }],
  };
  assert.deepEqual(logEntries(state).map((e) => [e.at_s, e.by]), [
    [30, ""],
    [20, "AB"],
    [15, "CD"],
    [10, ""],
  ]);
});

test("figures", () => {
  assert.equal(microvolts(4.26), "4.3");
  assert.equal(microvolts(1234.4), "1\u2009234");
  assert.equal(clock(62), "1:02");
  assert.equal(clock(3723), "1:02:03");
  assert.equal(age(99), "99 s");
  assert.equal(age(125), "2:05");
});
