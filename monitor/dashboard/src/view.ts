// What the page shows, derived from its state: pure functions, words and numbers only.

import { PRIORITY_MARK, kindWords, needsAcknowledging } from "./alarms.ts";
import type {
  Alarm,
  Baseline,
  Channel,
  ChannelTrial,
  Priority,
  Side,
  Trial,
} from "./contract.ts";
import { age, count, microvolts } from "./figures.ts";
import { type ViewState, SILENCE_MS, baselineKey } from "./state.ts";

// ------------------------------------------------------------------ is what is shown still true

export type Reception = "connecting" | "receiving" | "not receiving";

/** Whether the page may be believed: the gateway speaks, and the engine speaks to the gateway. */
export function reception(state: ViewState): Reception {
  if (state.lastMessageAtMs === null) {
    return state.nowMs - state.startedAtMs > SILENCE_MS ? "not receiving" : "connecting";
  }
  if (state.nowMs - state.lastMessageAtMs > SILENCE_MS) return "not receiving";
  return state.heartbeat?.link === "lost" ? "not receiving" : "receiving";
}

/** Why nothing is being received, in one line. */
export function silence(state: ViewState): string {
  if (state.lastMessageAtMs === null) return "No word from the monitor yet";
  const silent_s = (state.nowMs - state.lastMessageAtMs) / 1000;
  if (silent_s * 1000 > SILENCE_MS) {
    return `Connection lost: no word from the monitor for ${age(silent_s)}`;
  }
  const engine_s = sinceHeartbeat(state, state.heartbeat?.engine_age_s ?? null);
  return `The monitor's engine does not answer${engine_s === null ? "" : ` (${age(engine_s)})`}`;
}

export interface CaseWord {
  word: string;
  tone: "good" | "warn" | "bad" | "quiet";
  shape: string;
}

/** The state of the whole case in one word, with a shape beside the colour. */
export function caseWord(state: ViewState): CaseWord {
  const received = reception(state);
  if (received === "connecting") return { word: "CONNECTING", tone: "quiet", shape: "…" };
  if (received === "not receiving") return { word: "NOT RECEIVING", tone: "bad", shape: "✕" };
  switch (state.status?.state) {
    case "running":
      return { word: "RUNNING", tone: "good", shape: "▶" };
    case "stalled":
      return { word: "STALLED", tone: "warn", shape: "❙❙" };
    case "ended":
      return { word: "ENDED", tone: "quiet", shape: "■" };
    default:
      return { word: "WAITING", tone: "quiet", shape: "…" };
  }
}

function sinceHeartbeat(state: ViewState, atHeartbeat_s: number | null): number | null {
  if (atHeartbeat_s === null) return null;
  return atHeartbeat_s + (state.nowMs - state.heartbeatAtMs) / 1000;
}

/** Seconds since the last stimulus was accounted for; goes on counting while nothing arrives. */
export function trialAge_s(state: ViewState): number | null {
  return sinceHeartbeat(state, state.heartbeat?.trial_age_s ?? null);
}

/** Seconds since the case's first sample; stands still once the case has ended. */
export function caseTime_s(state: ViewState): number | null {
  const case_s = state.heartbeat?.case_s ?? null;
  return state.status?.state === "running" ? sinceHeartbeat(state, case_s) : case_s;
}

/** Seconds of audio pause left; 0 where the alarm sound is not paused. */
export function audioPauseLeft_s(state: ViewState): number {
  const until_s = state.status?.audio_paused_until_s ?? null;
  const now_s = caseTime_s(state);
  return until_s === null || now_s === null ? 0 : Math.max(0, until_s - now_s);
}

// --------------------------------------------------------------------------- alarms in the case

const PRIORITY_RANK: Record<Priority, number> = { high: 3, medium: 2, low: 1 };

/** An alarm that nobody has acknowledged yet comes before any that somebody has. */
function rank(alarm: Alarm): number {
  return (needsAcknowledging(alarm) ? 10 : 0) + PRIORITY_RANK[alarm.priority];
}

/** Unresolved alarms, the one that needs a person first; then those resolved, newest first. */
export function rankedAlarms(state: ViewState): { open: Alarm[]; resolved: Alarm[] } {
  const all = [...state.alarms.values()];
  const newer = (a: Alarm, b: Alarm) =>
    b.raised_s - a.raised_s ||
    (a.percent_of_baseline ?? 0) - (b.percent_of_baseline ?? 0) ||
    b.id - a.id;
  return {
    open: all
      .filter((alarm) => alarm.state !== "resolved")
      .sort((a, b) => rank(b) - rank(a) || newer(a, b)),
    resolved: all.filter((alarm) => alarm.state === "resolved").sort(newer),
  };
}

export function sideWord(side: Side): string {
  return side === "left" ? "LEFT" : side === "right" ? "RIGHT" : "";
}

/** `LEFT TA`, or the channel's own name where neither side nor muscle is known. */
export function channelWords(state: ViewState, channel: string, muscle: string): string {
  const known = state.channels.find((c) => c.channel === channel);
  return `${sideWord(known?.side ?? "")} ${known?.muscle || muscle || channel}`.trim();
}

/** Percent of baseline on an alarm's channel in the last trial that says so; `null` once it is gone. */
export function alarmPercent(state: ViewState, alarm: Alarm): number | null {
  if (alarm.percent_of_baseline === null) return null;
  if (alarm.state === "latched" || alarm.state === "resolved") return null;
  for (const trial of state.trials.slice().reverse()) {
    if (trial.trial <= (alarm.trial ?? 0)) break;
    if (trial.setting !== alarm.setting) continue;
    const row = trial.channels.find((c) => c.channel === alarm.channel);
    if (row?.comparable && row.percent_of_baseline !== null) return row.percent_of_baseline;
  }
  return alarm.percent_of_baseline;
}

/** The title of the window: what matters where only its tab is seen. */
export function titleWords(state: ViewState, open: readonly Alarm[]): string {
  if (reception(state) === "not receiving") return "✕ NOT RECEIVING";
  const first = open[0];
  const name = state.caseInfo?.name ?? "MEP monitor";
  if (first === undefined) return name;
  const where = channelWords(state, first.channel, first.muscle);
  return `${PRIORITY_MARK[first.priority]} ${where} ${kindWords(first.kind)} · ${name}`;
}

/** The alarm of a channel that its cell must show: the first by rank, unresolved. */
export function channelAlarm(open: readonly Alarm[], channel: string): Alarm | null {
  return open.find((alarm) => alarm.channel === channel) ?? null;
}

// ----------------------------------------------------------------------------------- muscles

export interface MuscleRow {
  muscle: string;
  cells: readonly [Channel | null, Channel | null];
}

/** Left and right of a muscle side by side; channels without a side fill rows two by two. */
export function muscleRows(channels: readonly Channel[]): MuscleRow[] {
  const sided = new Map<string, [Channel | null, Channel | null]>();
  const free: Channel[] = [];
  for (const channel of channels) {
    const column = channel.side === "left" ? 0 : 1;
    const cells = sided.get(channel.muscle) ?? [null, null];
    if (channel.side === "" || cells[column] !== null) {
      free.push(channel);
      continue;
    }
    cells[column] = channel;
    sided.set(channel.muscle, cells);
  }
  const rows: MuscleRow[] = [...sided].map(([muscle, cells]) => ({ muscle, cells }));
  for (let i = 0; i < free.length; i += 2) {
    rows.push({ muscle: "", cells: [free[i] ?? null, free[i + 1] ?? null] });
  }
  return rows;
}

/** The trial with the latest stimulus. */
export function lastTrial(state: ViewState): Trial | null {
  return state.trials.at(-1) ?? null;
}

export function baselineOf(state: ViewState, channel: string): Baseline | null {
  const setting = lastTrial(state)?.setting;
  if (setting === undefined) {
    return [...state.baselines.values()].find((b) => b.channel === channel) ?? null;
  }
  return state.baselines.get(baselineKey(setting, channel)) ?? null;
}

/** What the case is watched for, in one line: how many baselines there are, and the criterion. */
export function watchWords(state: ViewState): string {
  const ready = state.channels.filter((c) => {
    const baseline = baselineOf(state, c.channel);
    return baseline?.state === "usable" || baseline?.state === "frozen";
  });
  const percent = state.caseInfo?.alarm_percent;
  return (
    `baseline ready for ${ready.length} of ${count(state.channels.length, "muscle")}` +
    (percent === undefined ? "" : ` · alarm at ${percent} % of baseline or less`)
  );
}

export interface CellWords {
  /** The state of this sweep, short enough for a headline; empty where the figures say it all. */
  headline: string;
  detail: string;
  tone: "normal" | "quiet" | "warn";
}

/** What became of the last stimulus on this channel, where it is more than figures. */
export function cellWords(
  row: ChannelTrial | null,
  baseline: Baseline | null,
  usableFrom: number,
): CellWords {
  if (row === null) return { headline: "", detail: "no trial yet", tone: "quiet" };
  switch (row.status) {
    case "late":
    case "gap":
    case "incomplete":
      return { headline: "NO SWEEP", detail: reasons(row, row.status), tone: "warn" };
    case "rejected":
      return { headline: "REJECTED", detail: reasons(row, "not measurable"), tone: "warn" };
    case "no_response":
      return { headline: "NO RESPONSE", detail: absenceWords(row, baseline, usableFrom), tone: "normal" };
    case "response":
      if (baseline?.state === "learning") {
        return { headline: "LEARNING", detail: baselineWords(row, baseline, usableFrom), tone: "quiet" };
      }
      return { headline: "", detail: baselineWords(row, baseline, usableFrom), tone: "normal" };
  }
}

function reasons(row: ChannelTrial, otherwise: string): string {
  return row.reasons.length ? row.reasons.join(", ").replaceAll("_", " ") : otherwise;
}

/** How large an answer could have been missed: "none" is never more certain than the noise lets it. */
function absenceWords(row: ChannelTrial, baseline: Baseline | null, usableFrom: number): string {
  const limit = row.amplitude_upper_uv;
  const said = baselineWords(row, baseline, usableFrom);
  return said || limit === null ? said : `below ${microvolts(limit)} µV`;
}

function baselineWords(row: ChannelTrial, baseline: Baseline | null, usableFrom: number): string {
  if (baseline === null) return "no baseline";
  if (baseline.state === "learning") return `baseline ${baseline.responses} of ${usableFrom}`;
  if (baseline.state === "unreliable") return "no baseline · too few responses";
  if (row.percent_of_baseline === null || !row.comparable) return "not comparable";
  return "";
}

/**
 * Half height of a muscle's plot in uV: room for the baseline sweep and a third more, in steps of
 * 1-1.5-2-3-5-7. It hangs on the baseline alone once there is one, so that a drop looks like a drop.
 */
export function halfScale_uv(baseline: Baseline | null, largestSeen_uv: number): number {
  const sweep = baseline?.sweep_uv;
  let peak_uv = 0;
  if (sweep) for (const uv of sweep) peak_uv = Math.max(peak_uv, Math.abs(uv ?? 0));
  else if (baseline?.amplitude_uv) peak_uv = 0.6 * baseline.amplitude_uv;
  const wanted_uv = Math.max(1.33 * (peak_uv || largestSeen_uv), 10);
  const decade = 10 ** Math.floor(Math.log10(wanted_uv));
  const step = [1, 1.5, 2, 3, 5, 7, 10].find((s) => s * decade >= wanted_uv * 0.999) ?? 10;
  return step * decade;
}

// ------------------------------------------------------------------------------------ trend

/** Percent of baseline a trial, per channel; `null` where the trial says nothing about it. */
export function percentTrend(state: ViewState, channel: string): (number | null)[] {
  return state.trials.map((trial) => {
    const row = trial.channels.find((c) => c.channel === channel);
    return row?.comparable ? row.percent_of_baseline : null;
  });
}

export interface LogEntry {
  at_s: number;
  text: string;
  by: string;
  kind: "annotation" | Priority;
}

/** Remarks and the turns of every alarm, newest first. */
export function logEntries(state: ViewState): LogEntry[] {
  const entries: LogEntry[] = state.annotations.map((a) => ({ ...a, kind: "annotation" }));
  for (const alarm of state.alarms.values()) {
    const where = channelWords(state, alarm.channel, alarm.muscle);
    const what = `${kindWords(alarm.kind)}${where ? ` · ${where}` : ""}`;
    const kind = alarm.priority;
    entries.push({ at_s: alarm.raised_s, text: what, by: "", kind });
    if (alarm.acknowledged_s !== null) {
      const by = alarm.acknowledged_by;
      entries.push({ at_s: alarm.acknowledged_s, text: `${what} · acknowledged`, by, kind });
    }
    if (alarm.resolved_s !== null) {
      entries.push({ at_s: alarm.resolved_s, text: `${what} · resolved`, by: "", kind });
    }
  }
  // Sorting keeps the order of what happened at the same moment: reversed, the last comes first.
  return entries.reverse().sort((a, b) => b.at_s - a.at_s);
}
