import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

const REMEMBERED = "mep-monitor.operator";

export interface Operator {
  initials: string;
  /** Run `act` with the operator's initials, asking for them first where they are not known. */
  identified(act: (by: string) => void): void;
  change(): void;
  dialog: ComponentChildren;
}

/** Who stands at this screen: asked once, remembered by the browser. */
export function useOperator(): Operator {
  const [initials, setInitials] = useState(() => localStorage.getItem(REMEMBERED) ?? "");
  const [pending, setPending] = useState<{ act: (by: string) => void } | null>(null);

  function settle(event: SubmitEvent & { currentTarget: HTMLFormElement }): void {
    event.preventDefault();
    const by = String(new FormData(event.currentTarget).get("initials") ?? "").trim();
    if (by === "") return;
    localStorage.setItem(REMEMBERED, by);
    setInitials(by);
    setPending(null);
    pending?.act(by);
  }

  const dialog = pending !== null && (
    <div class="veil">
      <form
        class="ask"
        aria-label="Your initials"
        onSubmit={settle}
        onKeyDown={(event) => event.key === "Escape" && setPending(null)}
      >
        <label>
          Your initials
          <input
            name="initials"
            maxLength={12}
            autoComplete="off"
            defaultValue={initials}
            ref={(input) => input?.focus()}
          />
        </label>
        <p>They are recorded with what you acknowledge and note.</p>
        <div>
          <button type="button" class="plain" onClick={() => setPending(null)}>
            Cancel
          </button>
          <button type="submit">Confirm</button>
        </div>
      </form>
    </div>
  );

  return {
    initials,
    identified: (act) => (initials === "" ? setPending({ act }) : act(initials)),
    change: () => setPending({ act: () => undefined }),
    dialog,
  };
}
