import assert from "node:assert/strict";
import { test } from "node:test";

import {
  baselineHistory,
  baselineStateWords,
  reached,
  reachesOf,
  standingLosses,
} from "./baselines.ts";
import type { Alarm, Baseline, Channel } from "./contract.ts";
import { type ViewState, initialState } from "./state.ts";

const CHANNELS: Channel[] = [
  { channel: "LTA", muscle: "TA", side: "left" },
  { channel: "RTA", muscle: "TA", side: "right" },
  { channel: "LAH", muscle: "AH", side: "left" },
];

function state(changes: Partial<ViewState> = {}): ViewState {
  return { ...initialState(0), channels: CHANNELS, ...changes };
}

function baseline(changes: Partial<Baseline>): Baseline {
  return {
    id: 1,
    setting: "s",
    channel: "LTA",
    muscle: "TA",
    state: "frozen",
    amplitude_uv: 412,
    onset_ms: 33,
    accepted: 10,
    responses: 10,
    trials: [1, 2, 3],
    set_by: "",
    reason: "",
    spread: null,
    floor_uv: null,
    phases: null,
    sweep_uv: null,
    ...changes,
  };
}

test("a new baseline reaches a muscle, its pair, a side or all", () => {
  assert.deepEqual(reached(state(), "LTA", "muscle"), ["LTA"]);
  assert.deepEqual(reached(state(), "LTA", "pair"), ["LTA", "RTA"]);
  assert.deepEqual(reached(state(), "LTA", "left"), ["LTA", "LAH"]);
  assert.deepEqual(reached(state(), "", "all"), ["LTA", "RTA", "LAH"]);
  assert.deepEqual(reachesOf(state(), "LTA").map((r) => r.reach), [
    "muscle",
    "pair",
    "left",
    "right",
    "all",
  ]);
  assert.deepEqual(reachesOf(state(), "LAH").map((r) => r.reach), ["muscle", "left", "right", "all"]);
  assert.deepEqual(reachesOf(state(), "").map((r) => r.reach), ["left", "right", "all"]);
});

test("a loss that stands takes an override, latched or acknowledged too", () => {
  const loss = (id: number, changes: Partial<Alarm>) =>
    [id, { id, kind: "amplitude_drop", state: "active", channel: "LTA", ...changes } as Alarm] as const;
  const alarms = new Map([
    loss(1, {}),
    loss(2, { channel: "LAH", state: "latched", kind: "response_lost" }),
    loss(3, { channel: "RTA", state: "resolved" }),
    loss(4, { channel: "LTA", kind: "latency_shift" }),
  ]);
  const ids = (...channels: string[]) => standingLosses(state({ alarms }), channels).map((a) => a.id);
  assert.deepEqual(ids("LTA"), [1]);
  assert.deepEqual(ids("LTA", "RTA", "LAH"), [1, 2]);
  assert.deepEqual(ids("RTA"), []);
});

test("a baseline in words", () => {
  assert.equal(baselineStateWords(null), "no baseline yet");
  assert.equal(baselineStateWords(baseline({})), "412 µV, from 3 trials");
  assert.equal(baselineStateWords(baseline({ trials: [], set_by: "XY" })), "412 µV, set (XY)");
  const learning = baseline({ state: "learning", amplitude_uv: null, responses: 1 });
  assert.equal(baselineStateWords(learning), "learning, 1 response so far");
});

test("the history is what the record says, newest first, of these channels alone", () => {
  const annotations = [
    { at_s: 1, text: "baseline of LTA (s) was 400 uV, is 200 uV: moved [Surgeon]", by: "XY" },
    { at_s: 2, text: "incision", by: "XY" },
    { at_s: 3, text: "baseline of RTA (s) was 400 uV, is 200 uV: moved", by: "XY" },
    { at_s: 4, text: "baseline of LTA (s) was 200 uV, is learning: again", by: "AB" },
  ];
  const found = baselineHistory(state({ annotations }), ["LTA"]);
  assert.deepEqual(found.map((a) => a.at_s), [4, 1]);
});
