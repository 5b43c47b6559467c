// Values that tests begin with; no part of the page.

import type { Alarm } from "./contract.ts";

export function alarm(changes: Partial<Alarm>): Alarm {
  return {
    id: 1,
    kind: "amplitude_drop",
    class: "physiological",
    priority: "high",
    state: "active",
    setting: "s",
    channel: "LTA",
    muscle: "TA",
    trial: 5,
    percent_of_baseline: 30,
    baseline_uv: 400,
    amplitude_uv: 120,
    scope: "focal",
    rule: "",
    evidence: {},
    raised_s: 10,
    resolved_s: null,
    acknowledged_by: "",
    acknowledged_s: null,
    ...changes,
  };
}
