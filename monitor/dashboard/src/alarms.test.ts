import assert from "node:assert/strict";
import { test } from "node:test";

import {
  basisWords,
  estimateWords,
  evidenceRows,
  needsAcknowledging,
  notedWords,
  stateWords,
  whyWords,
} from "./alarms.ts";
import { alarm } from "./example.ts";

test("an alarm waits for somebody by its state, whoever saw it before", () => {
  const waiting = (["unconfirmed", "active", "latched", "acknowledged", "resolved"] as const).map(
    (state) => needsAcknowledging(alarm({ state, acknowledged_s: 5, acknowledged_by: "AB" })),
  );
  assert.deepEqual(waiting, [true, true, true, false, false]);
});

test("an alarm of before a restart says that nothing is known of it, and never that it is gone", () => {
  const evidence = { interrupted: "engine restarted: no trial since" };
  for (const state of ["unconfirmed", "active", "acknowledged"] as const) {
    const words = stateWords(alarm({ state, evidence }));
    assert.match(words, new RegExp(`^${state.toUpperCase()}.*NOT KNOWN SINCE: repeat the stimulus$`));
    assert.doesNotMatch(words, /gone/);
  }
  assert.equal(stateWords(alarm({ state: "resolved", evidence })), "RESOLVED");
  assert.equal(stateWords(alarm({})), "ACTIVE");
});

test("an alarm says its estimate, how sure it is and the scope", () => {
  const evidence = {
    estimate_percent: 24.4,
    estimate_lower_percent: 17.9,
    estimate_upper_percent: 33.2,
    probability_below: 0.9999,
  };
  assert.equal(
    estimateWords(alarm({ evidence })),
    "estimate 24 % (18–33) · P 0.99 · focal",
  );
  assert.match(estimateWords(alarm({ evidence, scope: "indeterminate" })), /scope open$/);
  assert.equal(estimateWords(alarm({ evidence: { message: "flat line" } })), "");
});

test("a technical alarm says what was found, any other its rule", () => {
  const lost = alarm({ rule: "a receiver is lost", evidence: { message: "gone: desk" } });
  assert.equal(whyWords(lost), "gone: desk");
  assert.equal(whyWords(alarm({ rule: "amplitude <= 50 %" })), "amplitude <= 50 %");
  const confirmed = alarm({
    rule: "amplitude <= 50 % of baseline, confirmed at a probability of 0.9",
    evidence: { confirmed_by: "estimator: 0.917 >= 0.9" },
  });
  assert.equal(whyWords(confirmed), "amplitude <= 50 % of baseline: estimator: 0.917 >= 0.9");
});

const LOSS = {
  threshold_percent: 50,
  recovery_percent: 60,
  n_of_k: "2 of 2",
  trials: "16, 17",
  trials_beyond: 2,
  baseline_id: 7,
  baseline_uv: 1325.49,
  baseline_responses: 9,
  baseline_accepted: 10,
  baseline_set_by: "",
  below_detection_floor: false,
  baseline_floor_uv: 8.08,
  probability_below: 0.9172,
  upper_uv: null,
  noted: "Bolus propofol (3 min before)",
};

test("what an alarm rests on is read at first sight", () => {
  const loss = alarm({ evidence: LOSS });
  assert.equal(basisWords(loss), "2 of 2 trials · baseline 1\u2009325 µV from 9 responses");
  assert.equal(notedWords(loss), "Bolus propofol (3 min before)");
  assert.equal(basisWords(alarm({ evidence: { baseline_uv: 40 } })), "baseline 40 µV");
  const technical = alarm({ evidence: { message: "flat line" } });
  assert.equal(basisWords(technical) + notedWords(technical), "");
});

test("whoever opens an alarm reads all of its evidence", () => {
  const rows = evidenceRows(alarm({ rule: "amplitude <= 50 %", evidence: LOSS }));
  const told = new Map(rows.map((row) => [row.name, row.value]));
  assert.deepEqual(rows[0], { name: "Rule", value: "amplitude <= 50 %" });
  assert.equal(told.get("Threshold"), "50 % of baseline or less; over at 60 %");
  assert.equal(told.get("Trials beyond"), "2: 16, 17");
  assert.equal(told.get("Baseline"), "no. 7, 1\u2009325 µV");
  assert.equal(told.get("Detection floor"), "8.1 µV; below it: no");
  assert.equal(told.get("Noted in the log"), "Bolus propofol (3 min before)");
  // Half of a sentence is none, and what is empty says nothing.
  assert.equal(told.get("Probability below"), "0.917");
  assert.equal(told.has("Baseline set by") || told.has("Could be missed"), false);
});

test("evidence of a kind that the page does not know is shown as it is", () => {
  const rows = evidenceRows(alarm({ evidence: { escalation: "1 of 2", later_idea_uv: 12.34 } }));
  assert.deepEqual(rows.slice(1), [
    { name: "Escalation", value: "1 of 2" },
    { name: "Later idea uv", value: "12" },
  ]);
});
