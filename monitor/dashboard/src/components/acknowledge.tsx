import { useState } from "preact/hooks";

import { acknowledge } from "../api.ts";
import type { Alarm } from "../contract.ts";
import type { Operator } from "./operator.tsx";

/**
 * Once an alarm is acknowledged another takes its place under the finger: a second touch so soon was
 * not meant for that one, which nobody has read yet.
 */
const ONE_TOUCH_MS = 800;
let touchedAtMs = -ONE_TOUCH_MS;

/**
 * Acknowledges one alarm. Nothing changes here until the feed says that the alarm is acknowledged;
 * a refusal is shown where the finger is.
 */
export function AcknowledgeButton({ alarm, operator }: { alarm: Alarm; operator: Operator }) {
  const [sending, setSending] = useState(false);
  const [refusal, setRefusal] = useState("");

  function send(): void {
    const nowMs = performance.now();
    if (nowMs - touchedAtMs < ONE_TOUCH_MS) return;
    touchedAtMs = nowMs;
    operator.identified((by) => {
      setSending(true);
      setRefusal("");
      acknowledge(alarm.id, by)
        .catch((error: Error) => setRefusal(`Not acknowledged: ${error.message}`))
        .finally(() => setSending(false));
    });
  }

  return (
    <span class="acknowledge">
      <button type="button" onClick={send} disabled={sending}>
        {sending ? "Sending …" : "Acknowledge"}
      </button>
      {refusal !== "" && <em role="alert">{refusal}</em>}
    </span>
  );
}
