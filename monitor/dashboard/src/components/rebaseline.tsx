import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { setBaseline } from "../api.ts";
import type { ViewState } from "../state.ts";
import {
  type Reach,
  baselineHistory,
  baselineStateWords,
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

function History({ state, names }: { state: ViewState; names: readonly string[] }) {
  const past = baselineHistory(state, names);
  if (past.length === 0) return <p>No baseline of these was set by hand before.</p>;
  return (
    <ol class="history">
      {past.map((entry) => (
        <li key={`${entry.at_s} ${entry.text}`}>
          <time>{clock(entry.at_s)}</time> {entry.text} <small>{entry.by}</small>
        </li>
      ))}
    </ol>
  );
}
