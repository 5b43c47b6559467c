// What the dialog for a new baseline shows and means, derived from the page's state.

import type { Alarm, Baseline, Channel, PastBaseline } from "./contract.ts";
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
  const trials = baseline.trials;
  return trials.length ? `${value}, from ${count(trials.length, "trial")}` : `${value}, set`;
}

/** What it was before, where an operator set it anew; empty where nobody did. */
export function beforeWords(baseline: Baseline): string {
  if (baseline.set_by === "") return "";
  return baseline.before_uv === null ? "none" : `${microvolts(baseline.before_uv)} µV`;
}

/** Who set a baseline anew, in which role, why and over what; empty where it was learned alone. */
export function actWords(baseline: Baseline): string {
  if (baseline.set_by === "") return "";
  const over = baseline.overrode.length
    ? ` · over ${baseline.overrode.length === 1 ? "alarm" : "alarms"} ${baseline.overrode.join(", ")}`
    : "";
  return `${baseline.set_by}, ${baseline.role}: ${baseline.reason}${over}`;
}

/** The baselines of these channels that stand or stood, newest first. */
export function pastOf(
  history: readonly PastBaseline[],
  channels: readonly string[],
): PastBaseline[] {
  return history
    .filter((past) => channels.includes(past.baseline.channel))
    .toSorted((a, b) => b.since.localeCompare(a.since) || b.baseline.id - a.baseline.id);
}
