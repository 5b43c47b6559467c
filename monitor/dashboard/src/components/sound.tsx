import { useEffect, useRef, useState } from "preact/hooks";

import { pauseAudio } from "../api.ts";
import { AlarmSound, audiblePriority } from "../audio.ts";
import type { ViewState } from "../state.ts";
import { clock } from "../figures.ts";
import { audioPauseLeft_s } from "../view.ts";
import type { Operator } from "./operator.tsx";

const PAUSE_S = 120;

/** Switches the sound of this screen, and pauses that of the whole case for two minutes. */
export function Sound({ state, operator }: { state: ViewState; operator: Operator }) {
  const sound = useRef<AlarmSound | null>(null);
  const [on, setOn] = useState(false);
  const [refusal, setRefusal] = useState("");
  const left_s = audioPauseLeft_s(state);
  const wanted = audiblePriority(state);

  useEffect(() => sound.current?.heed(wanted), [wanted, state.nowMs]);
  useEffect(() => () => sound.current?.close(), []);

  function toggle(): void {
    sound.current?.close();
    sound.current = on ? null : new AlarmSound();
    setOn(!on);
  }

  function pause(): void {
    operator.identified((by) => {
      setRefusal("");
      pauseAudio(left_s > 0 ? 0 : PAUSE_S, by).catch((error: Error) => setRefusal(error.message));
    });
  }

  return (
    <div class="sound" data-on={on} data-paused={left_s > 0}>
      <button type="button" class="plain" aria-pressed={on} onClick={toggle}>
        {on ? "Sound on" : "SOUND OFF"}
      </button>
      {on && (
        <button
          type="button"
          class="plain"
          title={left_s > 0 ? "End the pause" : "Silence the alarm's sound for two minutes"}
          onClick={pause}
        >
          {left_s > 0 ? `PAUSED ${clock(left_s)}` : "Pause 2 min"}
        </button>
      )}
      {refusal !== "" && <em role="alert">Not paused: {refusal}</em>}
    </div>
  );
}
