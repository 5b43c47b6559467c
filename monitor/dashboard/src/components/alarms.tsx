import type { Alarm } from "../contract.ts";
import type { ViewState } from "../state.ts";
import {
  basisWords,
  estimateWords,
  evidenceRows,
  kindWords,
  needsAcknowledging,
  notedWords,
  PRIORITY_MARK,
  stateWords,
  whyWords,
} from "../alarms.ts";
import { clock } from "../figures.ts";
import { alarmPercent, channelWords } from "../view.ts";
import { AcknowledgeButton } from "./acknowledge.tsx";
import type { Operator } from "./operator.tsx";

interface Props {
  state: ViewState;
  alarms: { open: Alarm[]; resolved: Alarm[] };
  operator: Operator;
}

/** Resolved alarms kept in sight; all of them stay in the log and in the record. */
const RESOLVED_SHOWN = 20;

export function AlarmList({ state, alarms, operator }: Props) {
  const { open, resolved } = alarms;
  return (
    <section class="panel alarms">
      <h2>
        Alarms <small>{open.length} open</small>
        <button type="button" class="plain operator" onClick={operator.change}>
          {operator.initials === "" ? "who are you?" : `operator ${operator.initials}`}
        </button>
      </h2>
      <ol>
        {open.length + resolved.length === 0 && <li class="none">none so far</li>}
        {[...open, ...resolved.slice(0, RESOLVED_SHOWN)].map((alarm) => (
          <li
            key={alarm.id}
            class="alarm"
            data-alarm={alarm.id}
            data-priority={alarm.priority}
            data-state={alarm.state}
          >
            <span class="mark">{PRIORITY_MARK[alarm.priority]}</span>
            <div>
              <strong>
                {channelWords(state, alarm.channel, alarm.muscle) || kindWords(alarm.kind)}
              </strong>
              {alarm.channel !== "" && <span>{kindWords(alarm.kind)}</span>}
              <span class="life">
                {stateWords(alarm)} ·{" "}
                {alarm.resolved_s === null
                  ? `since ${clock(alarm.raised_s)}`
                  : `${clock(alarm.raised_s)}–${clock(alarm.resolved_s)}`}
                {alarm.class === "technical" && " · technical"}
              </span>
              {alarm.state !== "resolved" && estimateWords(alarm) !== "" && (
                <span class="estimate" title={`95 % interval; P: below the criterion; ${alarm.evidence["scope_evidence"]}`}>
                  {estimateWords(alarm)}
                </span>
              )}
              {alarm.state !== "resolved" && <Basis alarm={alarm} />}
              {alarm.state !== "resolved" && <Rule text={whyWords(alarm)} rule={alarm.rule} />}
            </div>
            <Percent value={alarmPercent(state, alarm)} />
            <Evidence alarm={alarm} />
            {needsAcknowledging(alarm) && <AcknowledgeButton alarm={alarm} operator={operator} />}
          </li>
        ))}
      </ol>
    </section>
  );
}

/** At first sight: how many trials, which baseline, and what else may explain it. */
function Basis({ alarm }: { alarm: Alarm }) {
  const basis = basisWords(alarm);
  const noted = notedWords(alarm);
  return (
    <>
      {basis !== "" && <span class="basis">{basis}</span>}
      {noted !== "" && (
        <span class="noted">
          <b>noted</b> {noted}
        </span>
      )}
    </>
  );
}

/** Everything that the alarm rests on, for who opens it. */
function Evidence({ alarm }: { alarm: Alarm }) {
  return (
    <details class="evidence">
      <summary>evidence</summary>
      <dl>
        {evidenceRows(alarm).map((row, at) => (
          <div key={at}>
            <dt>{row.name}</dt>
            <dd>{row.value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function Rule({ text, rule }: { text: string; rule: string }) {
  return (
    <span class="rule" title={rule}>
      {text}
    </span>
  );
}

function Percent({ value }: { value: number | null }) {
  if (value === null) return null;
  return (
    <b class="percent">
      {Math.round(value)}
      <small> %</small>
    </b>
  );
}
