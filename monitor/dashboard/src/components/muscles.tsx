import { useState } from "preact/hooks";

import type { Alarm, Channel } from "../contract.ts";
import type { ViewState } from "../state.ts";
import { PRIORITY_MARK } from "../alarms.ts";
import { actWords, baselineStateWords } from "../baselines.ts";
import { microvolts } from "../figures.ts";
import {
  baselineOf,
  cellWords,
  channelAlarm,
  channelWords,
  lastTrial,
  muscleRows,
} from "../view.ts";
import { type Explained, Legend, onsetSd_ms, useExplanation } from "./explanation.tsx";
import { Sweep } from "./sweep.tsx";
import { Trend } from "./trend.tsx";

/** Rows that leave room for figures under one another; more are shown in a denser form. */
const ROOMY_ROWS = 5;

interface Props {
  state: ViewState;
  open: readonly Alarm[];
  /** Open the dialog for a new baseline of a channel; of all with an empty name. */
  setAnew(channel: string): void;
}

/** Every muscle, left and right side by side, and under each side its trend over the case. */
export function Muscles({ state, open, setAnew }: Props) {
  const rows = muscleRows(state.channels);
  const [explain, setExplain] = useState<ReadonlySet<string>>(new Set());
  const told = useExplanation(lastTrial(state), explain.size > 0);
  const toggle = (channel: string) => {
    const next = new Set(explain);
    if (!next.delete(channel)) next.add(channel);
    setExplain(next);
  };
  const columns = [0, 1].map((column) =>
    rows.flatMap((row) => (row.cells[column] ? [row.cells[column]] : [])),
  );
  return (
    <section class="muscles" data-dense={rows.length > ROOMY_ROWS}>
      <div class="cells">
        {rows.flatMap((row, at) =>
          row.cells.map((channel, column) =>
            channel === null ? (
              <div class="cell empty" key={`${at} ${column}`} />
            ) : (
              <Cell
                key={channel.channel}
                state={state}
                channel={channel}
                open={open}
                setAnew={setAnew}
                told={explain.has(channel.channel) ? told : null}
                toggle={() => toggle(channel.channel)}
              />
            ),
          ),
        )}
      </div>
      <div class="trends">
        {columns.map((channels, column) => (
          <Trend key={column} state={state} channels={channels} open={open} />
        ))}
      </div>
    </section>
  );
}

interface CellProps extends Props {
  channel: Channel;
  /** Why the network answered as it did, where this muscle's is asked for. */
  told: Explained | null;
  toggle(): void;
}

function Cell({ state, channel, open, setAnew, told, toggle }: CellProps) {
  const trial = lastTrial(state);
  const row = trial?.channels.find((c) => c.channel === channel.channel) ?? null;
  const baseline = baselineOf(state, channel.channel);
  const alarm = channelAlarm(open, channel.channel);
  const said = told?.explanation?.trial === trial?.trial ? (told?.explanation ?? null) : null;
  const mine = said?.channels.find((c) => c.channel === channel.channel) ?? null;
  const sd_ms = onsetSd_ms(mine);
  const name = channelWords(state, channel.channel, channel.muscle);
  const words = cellWords(row, baseline, state.caseInfo?.baseline_usable ?? 0);
  const percent = row?.comparable ? row.percent_of_baseline : null;
  return (
    <div
      class="cell"
      data-channel={channel.channel}
      data-priority={alarm?.priority ?? "none"}
      data-alarm-state={alarm?.state ?? "none"}
    >
      <h3>
        {name}
        {alarm !== null && <span class="mark"> {PRIORITY_MARK[alarm.priority]}</span>}
      </h3>
      {state.caseInfo !== null && (
        <Sweep
          info={state.caseInfo}
          trial={trial}
          row={row}
          baseline={baseline}
          waveforms={state.waveforms}
          explanation={said}
          mine={mine}
        />
      )}
      <div class="figures" data-tone={words.tone}>
        {percent !== null && (
          <p class="percent" data-low={percent <= (state.caseInfo?.alarm_percent ?? 0)}>
            {Math.round(percent)}
            <small> %</small>
          </p>
        )}
        {words.headline !== "" && <p class="headline">{words.headline}</p>}
        {row?.status === "response" && row.amplitude_uv !== null && (
          <p class="amplitude">
            {microvolts(row.amplitude_uv)} <small>µV</small>
            {row.onset_ms !== null && (
              <>
                {" "}
                <span class="onset">
                  {row.onset_ms.toFixed(1)} <small>ms</small>
                </span>
              </>
            )}
          </p>
        )}
        {sd_ms !== null && row?.status === "response" && (
          <p class="detail sd" title="one standard deviation, the network's">
            onset ± {Math.max(sd_ms, 0.1).toFixed(1)} ms
          </p>
        )}
        {words.detail !== "" && <p class="detail">{words.detail}</p>}
      </div>
      {told !== null && <Legend told={told} mine={mine} />}
      <button
        type="button"
        class="plain anew"
        title={[baselineStateWords(baseline), baseline === null ? "" : actWords(baseline)]
          .filter((part) => part !== "")
          .join(" · ")}
        aria-label={`Set the baseline of ${name} anew`}
        onClick={() => setAnew(channel.channel)}
      >
        baseline
      </button>
      <button
        type="button"
        class="plain explain"
        title="Show what of the sweep speaks to the network for a response"
        aria-label={`Explain ${name}`}
        aria-pressed={told !== null}
        onClick={toggle}
      >
        explain
      </button>
    </div>
  );
}
