import assert from "node:assert/strict";
import { test } from "node:test";

import {
  actWords,
  baselineStateWords,
  beforeWords,
  pastOf,
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
    role: "",
    before_uv: null,
    overrode: [],
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
  assert.equal(baselineStateWords(baseline({ trials: [], set_by: "XY" })), "412 µV, set");
  const learning = baseline({ state: "learning", amplitude_uv: null, responses: 1 });
  assert.equal(baselineStateWords(learning), "learning, 1 response so far");
});

test("of a baseline that was set by hand it is told by whom, in which role, why and over what", () => {
  assert.equal(actWords(baseline({})), "");
  assert.equal(beforeWords(baseline({ before_uv: 5 })), "", "nobody has set it");
  const set = baseline({ set_by: "XY", role: "Surgeon", reason: "moved", before_uv: 400 });
  assert.equal(actWords(set), "XY, Surgeon: moved");
  assert.equal(beforeWords(set), "400 µV");
  assert.equal(beforeWords({ ...set, before_uv: null }), "none");
  assert.equal(actWords({ ...set, overrode: [3] }), "XY, Surgeon: moved · over alarm 3");
  assert.equal(actWords({ ...set, overrode: [3, 5] }), "XY, Surgeon: moved · over alarms 3, 5");
});

test("the history of some channels is told newest first", () => {
  const began = (id: number, channel: string, hour: number) => ({
    since: `2026-01-05T0${hour}:00:00.000000Z`,
    since_s: 3600 * (hour - 8),
    until: null,
    until_s: null,
    baseline: baseline({ id, channel }),
  });
  const history = [began(1, "LTA", 8), began(2, "RTA", 8), began(3, "LTA", 9)];
  assert.deepEqual(pastOf(history, ["LTA"]).map((past) => past.baseline.id), [3, 1]);
  assert.deepEqual(pastOf(history, ["LTA", "RTA"]).map((past) => past.baseline.id), [3, 2, 1]);
});
