import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

import { fetchBaselineHistory, setBaseline } from "../api.ts";
import type { PastBaseline } from "../contract.ts";
import type { ViewState } from "../state.ts";
import {
  type Reach,
  actWords,
  baselineStateWords,
  beforeWords,
  pastOf,
  reached,
  reachesOf,
  standingLosses,
} from "../baselines.ts";
import { clock, count } from "../figures.ts";
import { baselineOf, channelWords, lastTrial } from "../view.ts";
import type { Operator } from "./operator.tsx";

const ROLES = ["Neurophysiologist", "Technologist", "Anaesthetist", "Surgeon"];
const REASONS = ["Patient repositioned", "Anaesthesia changed", "Electrode replaced"];

export interface Rebaseline {
  /** Open the dialog for a channel, or for all with an empty name. */
  open(channel: string): void;
  dialog: ComponentChildren;
}

/** The dialog that sets baselines anew: of one muscle, a group or all, with role and reason. */
export function useRebaseline(state: ViewState, operator: Operator): Rebaseline {
  const [channel, setChannel] = useState<string | null>(null);
  const dialog = channel !== null && (
    <Dialog
      key={channel}
      state={state}
      channel={channel}
      operator={operator}
      close={() => setChannel(null)}
    />
  );
  return { open: setChannel, dialog };
}

interface Props {
  state: ViewState;
  channel: string;
  operator: Operator;
  close(): void;
}

function Dialog({ state, channel, operator, close }: Props) {
  const reaches = reachesOf(state, channel);
  const [reach, setReach] = useState<Reach>(channel === "" ? "all" : "muscle");
  const [given, setGiven] = useState(false);
  const [value, setValue] = useState("");
  const [role, setRole] = useState("");
  const [reason, setReason] = useState("");
  const [override, setOverride] = useState(false);
  const [sending, setSending] = useState(false);
  const [refusal, setRefusal] = useState("");
  const names = reached(state, channel, reach);
  const standing = standingLosses(state, names);
  const setting = lastTrial(state)?.setting ?? "";
  const single = names.length === 1;
  const amplitude_uv = given && single ? Number(value) : null;
  const ready =
    setting !== "" &&
    role !== "" &&
    reason.trim() !== "" &&
    (standing.length === 0 || override) &&
    (amplitude_uv === null || amplitude_uv > 0);

  function send(event: SubmitEvent): void {
    event.preventDefault();
    operator.identified((by) => {
      setSending(true);
      setRefusal("");
      setBaseline({
        by,
        role,
        reason: reason.trim(),
        setting,
        group: names,
        amplitude_uv,
        override: override && standing.length > 0,
      })
        .then(close)
        .catch((error: Error) => setRefusal(`Not set: ${error.message}`))
        .finally(() => setSending(false));
    });
  }

  return (
    <div class="veil">
      <form
        class="ask rebaseline"
        aria-label="Set the baseline anew"
        onSubmit={send}
        onKeyDown={(event) => event.key === "Escape" && close()}
      >
        <h2>Set the baseline anew</h2>
        <fieldset class="choice" aria-label="Which muscles">
          {reaches.map((one) => (
            <label key={one.reach}>
              <input
                type="radio"
                name="reach"
                checked={reach === one.reach}
                onChange={() => setReach(one.reach)}
              />
              {one.words}
            </label>
          ))}
        </fieldset>
        <table>
          <tbody>
            {names.map((name) => {
              const known = state.channels.find((c) => c.channel === name);
              return (
                <tr key={name}>
                  <th>{channelWords(state, name, known?.muscle ?? "")}</th>
                  <td>{baselineStateWords(baselineOf(state, name))}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
        {single && (
          <fieldset class="choice" aria-label="How">
            <label>
              <input type="radio" name="how" checked={!given} onChange={() => setGiven(false)} />
              learn from the next trials
            </label>
            <label>
              <input type="radio" name="how" checked={given} onChange={() => setGiven(true)} />
              set to
              <input
                type="number"
                min="0"
                step="any"
                aria-label="Amplitude in microvolts"
                value={value}
                onFocus={() => setGiven(true)}
                onInput={(event) => setValue(event.currentTarget.value)}
              />
              µV
            </label>
          </fieldset>
        )}
        <label>
          Your role
          <select value={role} onChange={(event) => setRole(event.currentTarget.value)}>
            <option value="">choose …</option>
            {ROLES.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <label>
          Reason
          <input
            value={reason}
            maxLength={200}
            autoComplete="off"
            list="reasons"
            onInput={(event) => setReason(event.currentTarget.value)}
          />
          <datalist id="reasons">
            {REASONS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </datalist>
        </label>
        {standing.length > 0 && (
          <label class="override" role="alert">
            <input
              type="checkbox"
              checked={override}
              onChange={(event) => setOverride(event.currentTarget.checked)}
            />
            <span>
              <strong>
                {count(standing.length, "alarm")} {standing.length === 1 ? "stands" : "stand"} on{" "}
                {standing.map((a) => channelWords(state, a.channel, a.muscle)).join(", ")}.
              </strong>{" "}
              Set anew all the same; the alarm stays in the record.
            </span>
          </label>
        )}
        <History state={state} names={names} />
        {refusal !== "" && <em role="alert">{refusal}</em>}
        <div>
          <button type="button" class="plain" onClick={close}>
            Cancel
          </button>
          <button type="submit" disabled={!ready || sending}>
            {sending ? "Sending …" : `Set ${count(names.length, "muscle")} anew`}
          </button>
        </div>
      </form>
    </div>
  );
}

/** Every baseline of some muscles, newest first: what it was, what it came to, who did it and why. */
function History({ state, names }: { state: ViewState; names: readonly string[] }) {
  const told = useBaselineHistory(state);
  if (told.refusal !== "") return <p role="alert">No history: {told.refusal}</p>;
  const past = pastOf(told.history, names);
  if (past.length === 0) return <p>There was no baseline before.</p>;
  return (
    <ol class="history" aria-label="Baselines so far">
      {past.map(({ since_s, until_s, baseline }) => {
        const before = beforeWords(baseline);
        const act = actWords(baseline);
        return (
          <li key={baseline.id} data-stands={until_s === null}>
            <time>{clock(since_s)}</time>
            <div>
              {names.length > 1 && <b>{channelWords(state, baseline.channel, baseline.muscle)} </b>}
              {before !== "" && `${before} → `}
              {baselineStateWords(baseline)}
              {until_s === null ? "" : `, until ${clock(until_s)}`}
              <small>{act === "" ? "learned from the first trials" : act}</small>
              <small>{baseline.setting}</small>
            </div>
          </li>
        );
      })}
    </ol>
  );
}

/** The history, asked for when it is shown and again whenever a baseline changes. */
function useBaselineHistory(state: ViewState): { history: PastBaseline[]; refusal: string } {
  const [told, setTold] = useState<{ history: PastBaseline[]; refusal: string }>({
    history: [],
    refusal: "",
  });
  useEffect(() => {
    let left = false;
    fetchBaselineHistory()
      .then((history) => !left && setTold({ history, refusal: "" }))
      .catch((error: Error) => !left && setTold({ history: [], refusal: error.message }));
    return () => {
      left = true;
    };
  }, [state.baselines]);
  return told;
}
