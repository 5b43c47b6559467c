// What an alarm says of itself: its life, why it was raised, and what that rests on.

import type { Alarm, Priority } from "./contract.ts";
import { count, microvolts } from "./figures.ts";

/** Whether it waits for somebody: its state says so, whoever may have seen it at an earlier time. */
export function needsAcknowledging(alarm: Alarm): boolean {
  return alarm.state !== "acknowledged" && alarm.state !== "resolved";
}

/** Marks of IEC 60601-1-8 for the three priorities: a sign that needs no colour. */
export const PRIORITY_MARK: Record<Priority, string> = { high: "!!!", medium: "!!", low: "!" };

const KIND_WORDS: Record<string, string> = {
  amplitude_drop: "Amplitude drop",
  response_lost: "Response lost",
  latency_shift: "Latency shift",
  threshold_rise: "Threshold rise",
  morphology_change: "Shape changed",
  signal_stalled: "No EMG signal",
  signal_gap: "Gap in the signal",
  clock_fault: "Clock fault",
  lead_off: "Lead off",
  electrocautery: "Electrocautery",
  stimulus_missing: "Stimulus missing",
  stimulus_misaligned: "Stimulus misaligned",
  stimulus_not_delivered: "Stimulus not delivered",
};

export function kindWords(kind: string): string {
  return KIND_WORDS[kind] ?? kind.charAt(0).toUpperCase() + kind.slice(1).replaceAll("_", " ");
}

/** Where an alarm stands in its life, in words that say what is wanted of a person. */
export function stateWords(alarm: Alarm): string {
  const words = lifeWords(alarm);
  const unknown = alarm.evidence["interrupted"] !== undefined && alarm.state !== "resolved";
  return unknown ? `${words} · monitor restarted, NOT KNOWN SINCE: repeat the stimulus` : words;
}

function lifeWords(alarm: Alarm): string {
  switch (alarm.state) {
    case "unconfirmed":
      return alarm.class === "technical" || alarm.evidence["interrupted"] !== undefined
        ? "UNCONFIRMED"
        : "UNCONFIRMED · repeat the stimulus";
    case "active":
      return "ACTIVE";
    case "acknowledged":
      return `ACKNOWLEDGED by ${alarm.acknowledged_by}`;
    case "latched":
      return "LATCHED · gone, not acknowledged";
    case "resolved":
      return "RESOLVED";
  }
}

/**
 * Why an alarm was raised: what was found where it says so (a technical one), else its rule, and of a
 * confirmed one what confirmed it in place of what would.
 */
export function whyWords(alarm: Alarm): string {
  const { message, confirmed_by: by } = alarm.evidence;
  if (typeof message === "string" && message !== "") return message;
  if (typeof by !== "string") return alarm.rule;
  const [criterion] = alarm.rule.split(", ");
  return `${criterion}: ${by}`;
}

const SCOPE_WORDS: Record<Alarm["scope"], string> = {
  focal: "focal",
  global: "global",
  indeterminate: "scope open",
};

/**
 * What the trials so far say of a loss: the true amplitude with its interval, how likely it is below
 * the criterion, and the scope. Empty for an alarm without an estimate.
 */
export function estimateWords(alarm: Alarm): string {
  const percent = figureOf(alarm, "estimate_percent");
  const low = figureOf(alarm, "estimate_lower_percent");
  const high = figureOf(alarm, "estimate_upper_percent");
  const below = figureOf(alarm, "probability_below");
  if (percent === null || low === null || high === null || below === null) return "";
  // Never rounded up to certainty.
  const likely = (Math.min(Math.floor(100 * below), 99) / 100).toFixed(2);
  return (
    `estimate ${Math.round(percent)} % (${Math.round(low)}–${Math.round(high)}) ` +
    `· P ${likely} · ${SCOPE_WORDS[alarm.scope]}`
  );
}

// -------------------------------------------------------------------------- what it rests on

function figureOf(alarm: Alarm, name: string): number | null {
  const value = alarm.evidence[name];
  return typeof value === "number" ? value : null;
}

function textOf(alarm: Alarm, name: string): string {
  const value = alarm.evidence[name];
  return typeof value === "string" ? value : "";
}

/** How many trials say so, and against which baseline; empty for an alarm that rests on neither. */
export function basisWords(alarm: Alarm): string {
  const nOfK = textOf(alarm, "n_of_k");
  const baseline_uv = figureOf(alarm, "baseline_uv");
  const responses = figureOf(alarm, "baseline_responses");
  const said: string[] = [];
  if (nOfK !== "") said.push(`${nOfK} trials`);
  if (baseline_uv !== null) {
    const from = responses === null ? "" : ` from ${count(responses, "response")}`;
    said.push(`baseline ${microvolts(baseline_uv)} µV${from}`);
  }
  return said.join(" · ");
}

/** What the log notes that may explain it (a bolus, the pressure); empty where there is nothing. */
export function notedWords(alarm: Alarm): string {
  return textOf(alarm, "noted");
}

export interface EvidenceRow {
  name: string;
  value: string;
}

/** A value of evidence under one heading; `{name}` stands for the evidence of that name. */
const EVIDENCE: readonly (readonly [heading: string, template: string])[] = [
  ["Confirmed by", "{confirmed_by}"],
  ["Threshold", "{threshold_percent} % of baseline or less; over at {recovery_percent} %"],
  ["Threshold", "{threshold}"],
  ["n of k", "{n_of_k}"],
  ["Trials beyond", "{trials_beyond}: {trials}"],
  ["Latest trial", "{latest_trial} at {latest_percent} %, lowest {lowest_percent} %"],
  ["Estimate", "{estimate_percent} % ({estimate_lower_percent}–{estimate_upper_percent}, 95 %)"],
  ["Probability", "{probability_below} below the criterion, {probability_sudden} of a sudden step"],
  ["Scope", "{scope_evidence}"],
  ["Gradual", "{gradual}"],
  ["Noted in the log", "{noted}"],
  ["Baseline", "no. {baseline_id}, {baseline_uv} µV"],
  ["Baseline from", "{baseline_responses} responses in {baseline_accepted} trials"],
  ["Baseline spread", "{baseline_spread} (upper over lower quartile)"],
  ["Detection floor", "{baseline_floor_uv} µV; below it: {below_detection_floor}"],
  ["Baseline set by", "{baseline_set_by}"],
  ["Baseline onset", "{baseline_onset_ms} ms"],
  ["Could be missed", "{upper_uv} µV"],
  ["Profile", "{profile}"],
  ["Model", "{model}"],
];

/**
 * All that an alarm carries in evidence, for who opens it: the rule first, what is known under a
 * heading of its own, and nothing left out that a later version adds.
 */
export function evidenceRows(alarm: Alarm): EvidenceRow[] {
  const rows: EvidenceRow[] = [{ name: "Rule", value: alarm.rule }];
  const told = new Set<string>();
  for (const [name, template] of EVIDENCE) {
    const keys = [...template.matchAll(/{(\w+)}/g)].map((match) => match[1] ?? "");
    keys.filter((key) => key in alarm.evidence).forEach((key) => told.add(key));
    const known = keys.filter((key) => !["", null, undefined].includes(alarm.evidence[key] as string));
    if (known.length < keys.length) {
      // Part of a sentence is none: the values stand for themselves.
      for (const key of known) rows.push({ name: evidenceName(key), value: valueWords(alarm, key) });
      continue;
    }
    rows.push({ name, value: template.replace(/{(\w+)}/g, (_, key: string) => valueWords(alarm, key)) });
  }
  for (const key of Object.keys(alarm.evidence)) {
    if (!told.has(key)) rows.push({ name: evidenceName(key), value: valueWords(alarm, key) });
  }
  return rows;
}

function evidenceName(key: string): string {
  return key.charAt(0).toUpperCase() + key.slice(1).replaceAll("_", " ");
}

function valueWords(alarm: Alarm, key: string): string {
  const value = alarm.evidence[key];
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number" || Number.isInteger(value)) return String(value ?? "–");
  if (key.startsWith("probability")) return value.toFixed(3);
  return key.endsWith("_uv") ? microvolts(value) : value.toFixed(key.endsWith("spread") ? 2 : 1);
}
