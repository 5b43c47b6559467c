// What the dialog for a new baseline shows and means, derived from the page's state.

import type { Alarm, Annotation, Baseline, Channel } from "./contract.ts";
import type { ViewState } from "./state.ts";
import { count, microvolts } from "./figures.ts";
import { channelWords } from "./view.ts";

/** Which muscles a new baseline is for. */
export type Reach = "muscle" | "pair" | "left" | "right" | "all";

/** The groups that there are about a channel (empty: about none), each with its name. */
export function reachesOf(state: ViewState, channel: string): { reach: Reach; words: string }[] {
  const known = state.channels.find((c) => c.channel === channel);
  const all: { reach: Reach; words: string }[] = [
    { reach: "muscle", words: channelWords(state, channel, "") },
    { reach: "pair", words: `${known?.muscle ?? ""} of both sides` },
    { reach: "left", words: "left side" },
    { reach: "right", words: "right side" },
    { reach: "all", words: "all muscles" },
  ];
  const size = (reach: Reach) => reached(state, channel, reach).length;
  return all.filter(({ reach }) => size(reach) > (reach === "pair" ? 1 : 0));
}

/** The channels that a new baseline is for. */
export function reached(state: ViewState, channel: string, reach: Reach): string[] {
  const muscle = state.channels.find((c) => c.channel === channel)?.muscle;
  const isMeant = (c: Channel): boolean => {
    switch (reach) {
      case "muscle":
        return c.channel === channel;
      case "pair":
        return c.muscle === muscle;
      case "all":
        return true;
      default:
        return c.side === reach;
    }
  };
  return state.channels.filter(isMeant).map((c) => c.channel);
}

/** Losses that stand on these channels, latched ones among them: a new baseline takes an override. */
export function standingLosses(state: ViewState, channels: readonly string[]): Alarm[] {
  const losses = ["amplitude_drop", "response_lost"];
  return [...state.alarms.values()].filter(
    (a) => losses.includes(a.kind) && a.state !== "resolved" && channels.includes(a.channel),
  );
}

/** A baseline in a few words. */
export function baselineStateWords(baseline: Baseline | null): string {
  if (baseline === null) return "no baseline yet";
  if (baseline.amplitude_uv === null) {
    return baseline.state === "unreliable"
      ? "not reliable: no baseline"
      : `learning, ${count(baseline.responses, "response")} so far`;
  }
  const value = `${microvolts(baseline.amplitude_uv)} µV`;
  const from = baseline.trials.length ? `from ${count(baseline.trials.length, "trial")}` : "set";
  return `${value}, ${from}${baseline.set_by === "" ? "" : ` (${baseline.set_by})`}`;
}

/** What the record says of baselines of these channels that were set by hand, newest first. */
export function baselineHistory(state: ViewState, channels: readonly string[]): Annotation[] {
  const begins = channels.map((channel) => `baseline of ${channel} (`);
  return state.annotations
    .filter((a) => begins.some((words) => a.text.startsWith(words)))
    .toSorted((a, b) => b.at_s - a.at_s);
}
