import type { CaseKind } from "../contract.ts";
import type { ViewState } from "../state.ts";
import { age, clock } from "../figures.ts";
import { caseTime_s, caseWord, lastTrial, trialAge_s } from "../view.ts";
import type { Operator } from "./operator.tsx";
import { Sound } from "./sound.tsx";

const KIND_WORDS: Record<CaseKind, string> = {
  live: "LIVE",
  replay: "REPLAY",
  simulated: "SIMULATED",
};

export function TopBar({ state, operator }: { state: ViewState; operator: Operator }) {
  const info = state.caseInfo;
  const { word, tone, shape } = caseWord(state);
  const sinceTrial_s = trialAge_s(state);
  const case_s = caseTime_s(state);
  return (
    <header class="topbar">
      <div class="case">
        <h1>{info?.name ?? "MEP monitor"}</h1>
        <p>{info?.procedure || "\u00a0"}</p>
      </div>
      {info !== null && (
        <div class="kind" data-kind={info.kind}>
          {KIND_WORDS[info.kind]}
          {info.kind !== "live" && <small>not a live patient</small>}
        </div>
      )}
      <div class="state" data-tone={tone} role="status">
        <span aria-hidden="true">{shape}</span> {word}
      </div>
      <Figure name="last trial" value={sinceTrial_s === null ? "–" : age(sinceTrial_s)} unit="ago" />
      <Figure name="trial" value={lastTrial(state)?.trial.toString() ?? "–"} />
      <Figure name="case time" value={case_s === null ? "–" : clock(case_s)} />
      <Sound state={state} operator={operator} />
      <p class="disclaimer">
        Research software.
        <br />
        Not a medical device.
      </p>
    </header>
  );
}

function Figure({ name, value, unit }: { name: string; value: string; unit?: string }) {
  return (
    <div class="figure">
      <span class="name">{name}</span>
      <span class="value">
        {value}
        {unit !== undefined && value !== "–" && <small> {unit}</small>}
      </span>
    </div>
  );
}
