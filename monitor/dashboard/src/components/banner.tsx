import type { Alarm } from "../contract.ts";
import type { ViewState } from "../state.ts";
import { kindWords, needsAcknowledging, PRIORITY_MARK, stateWords, whyWords } from "../alarms.ts";
import { clock } from "../figures.ts";
import { alarmPercent, channelWords, reception, silence, watchWords } from "../view.ts";
import { AcknowledgeButton } from "./acknowledge.tsx";
import type { Operator } from "./operator.tsx";

interface Props {
  state: ViewState;
  open: readonly Alarm[];
  operator: Operator;
}

/** The one thing to know now: the alarm that needs a person first, or that nothing is received. */
export function Banner({ state, open, operator }: Props) {
  const received = reception(state);
  if (received === "not receiving") {
    return (
      <section class="banner" data-look="silent" role="alert">
        <span class="mark">✕</span>
        <div class="words">
          <strong>NOT RECEIVING</strong>
          <span>{silence(state)}</span>
        </div>
        <div class="aside">What is shown below is old. Do not rely on it.</div>
      </section>
    );
  }
  const first = open[0];
  if (first === undefined) {
    return (
      <section class="banner" data-look="none">
        <div class="words">{received === "connecting" ? "Connecting to the monitor" : "No alarm"}</div>
        {received === "receiving" && <div class="aside">{watchWords(state)}</div>}
      </section>
    );
  }
  const percent = alarmPercent(state, first);
  const look = first.state === "acknowledged" ? "acknowledged" : first.priority;
  return (
    <section class="banner" data-look={look} data-priority={first.priority} role="alert">
      <span class="mark">{PRIORITY_MARK[first.priority]}</span>
      <div class="words">
        <strong>
          {channelWords(state, first.channel, first.muscle)} {kindWords(first.kind)}
        </strong>
        <span>{whyWords(first)}</span>
      </div>
      {percent !== null && (
        <div class="percent">
          {Math.round(percent)}
          <small> % of baseline now</small>
        </div>
      )}
      <div class="aside">
        <b>{stateWords(first)}</b>
        <span>
          since {clock(first.raised_s)}
          {open.length > 1 && ` · ${open.length - 1} more open`}
        </span>
      </div>
      {needsAcknowledging(first) && (
        <AcknowledgeButton key={first.id} alarm={first} operator={operator} />
      )}
    </section>
  );
}
