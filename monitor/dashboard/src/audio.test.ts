import assert from "node:assert/strict";
import { test } from "node:test";

import { PATTERNS, audiblePriority } from "./audio.ts";
import type { Alarm, Heartbeat } from "./contract.ts";
import { type ViewState, initialState } from "./state.ts";

const HEARTBEAT: Heartbeat = {
  seq: 1,
  engine_age_s: 0,
  signal_age_s: 0,
  trial_age_s: 1,
  case_s: 100,
  link: "up",
};

function state(alarms: Partial<Alarm>[], pausedUntil_s: number | null = null): ViewState {
  return {
    ...initialState(0),
    lastMessageAtMs: 0,
    heartbeat: HEARTBEAT,
    status: { at_s: 0, state: "running", message: "", audio_paused_until_s: pausedUntil_s },
    alarms: new Map(
      alarms.map((alarm, id) => [
        id,
        { id, state: "active", raised_s: 1, acknowledged_s: null, ...alarm } as Alarm,
      ]),
    ),
  };
}

test("pulses and gaps are those of the standard's table for each priority", () => {
  const counts = { high: 10, medium: 3, low: 2 };
  const duration_s = { high: [0.075, 0.2], medium: [0.125, 0.25], low: [0.125, 0.25] };
  for (const priority of ["high", "medium", "low"] as const) {
    const { pulses, repeat_s } = PATTERNS[priority];
    const [shortest, longest] = duration_s[priority];
    assert.equal(pulses.length, counts[priority]);
    for (const [i, pulse] of pulses.entries()) {
      assert.ok(pulse.duration_s >= shortest! && pulse.duration_s <= longest!);
      const before = pulses[i - 1];
      if (before) assert.ok(pulse.at_s > before.at_s + before.duration_s);
    }
    assert.ok(repeat_s > pulses.at(-1)!.at_s + 2.5);
  }
  assert.ok(PATTERNS.high.repeat_s < PATTERNS.medium.repeat_s);
  assert.ok(PATTERNS.medium.repeat_s < PATTERNS.low.repeat_s);
});

test("the highest alarm that nobody has acknowledged is heard", () => {
  assert.equal(audiblePriority(state([])), null);
  assert.equal(audiblePriority(state([{ priority: "low" }, { priority: "high" }])), "high");
  const seen = { priority: "high", state: "acknowledged", acknowledged_s: 5 } as const;
  assert.equal(audiblePriority(state([seen, { priority: "low" }])), "low");
  assert.equal(audiblePriority(state([seen])), null);
  const again = { priority: "high", state: "latched", acknowledged_s: 5 } as const;
  assert.equal(audiblePriority(state([again])), "high");
  assert.equal(audiblePriority(state([again, { priority: "low" }])), "high");
});

test("a pause silences alarms until its time, and never silences a lost connection", () => {
  const alarm = { priority: "high" } as const;
  assert.equal(audiblePriority(state([alarm], 160)), null);
  assert.equal(audiblePriority(state([alarm], 90)), "high");
  assert.equal(audiblePriority({ ...state([alarm], 160), nowMs: 5000 }), "medium");
});
