import { useEffect, useState } from "preact/hooks";

import { fetchExplanation } from "../api.ts";
import type { ExplainedChannel, Explanation, Trial } from "../contract.ts";

/** After its trial the epoch is on the disk within moments; a display asks once it may be. */
const SETTLE_MS = 150;

export interface Explained {
  /** Of the last trial; null while it is being asked for. */
  explanation: Explanation | null;
  /** Why there is none, in one line. */
  refusal: string;
}

const ASKING: Explained = { explanation: null, refusal: "" };

/** The explanation of a trial, asked for only where somebody wants to see it. */
export function useExplanation(trial: Trial | null, wanted: boolean): Explained {
  const [told, setTold] = useState<Explained>(ASKING);
  const number = wanted ? (trial?.trial ?? null) : null;
  useEffect(() => {
    setTold(ASKING);
    if (number === null) return;
    let left = false;
    const timer = setTimeout(() => {
      fetchExplanation(number)
        .then((explanation) => !left && setTold({ explanation, refusal: "" }))
        .catch((error: Error) => !left && setTold({ explanation: null, refusal: error.message }));
    }, SETTLE_MS);
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [number]);
  return told;
}

interface Props {
  told: Explained;
  mine: ExplainedChannel | null;
}

/** What the colours under a sweep mean, with the figures of this one. */
export function Legend({ told, mine }: Props) {
  if (told.refusal !== "") {
    return (
      <p class="legend" title={told.refusal}>
        not explained: {told.refusal}
      </p>
    );
  }
  if (mine === null) return <p class="legend">asking the network …</p>;
  if (mine.fault !== "") {
    return <p class="legend">not shown to the network: {mine.fault.replaceAll("_", " ")}</p>;
  }
  const network = told.explanation?.network;
  const name = `${network?.name} ${network?.version} ${network?.sha256}`;
  return (
    <p class="legend" title={`what speaks for a response to the network ${name}`}>
      <i class="swatch" /> <span>speaks for a response </span>
      {mine.response_probability !== null && <b>P {likelihood(mine.response_probability)}</b>}
      {mine.novel && <b class="novel"> novel</b>}
    </p>
  );
}

/** How sure the network is of its onset, in ms (one SD); null where it saw no response. */
export function onsetSd_ms(mine: ExplainedChannel | null): number | null {
  return (mine?.response_probability ?? 0) >= 0.5 ? (mine?.onset_sd_ms ?? null) : null;
}

/** Never rounded up to certainty, nor down to it. */
function likelihood(p: number): string {
  return Math.min(Math.max(p, 0.01), 0.99).toFixed(2);
}
