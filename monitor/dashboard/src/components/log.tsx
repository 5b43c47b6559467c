import { useRef, useState } from "preact/hooks";

import { annotate } from "../api.ts";
import type { ViewState } from "../state.ts";
import { clock } from "../figures.ts";
import { logEntries } from "../view.ts";
import type { Operator } from "./operator.tsx";

/** Remarks sent with one touch, and those that want a value or a level typed after them. */
const TAGS = ["Incision", "Screw", "Rod", "Bolus"];
const TAGS_WITH_VALUE = ["MAP", "TOF"];

export function Log({ state, operator }: { state: ViewState; operator: Operator }) {
  const [text, setText] = useState("");
  const [refusal, setRefusal] = useState("");
  const field = useRef<HTMLInputElement>(null);

  function note(remark: string): void {
    if (remark.trim() === "") return;
    operator.identified((by) => {
      setRefusal("");
      annotate(remark.trim(), by)
        .then(() => setText(""))
        .catch((error: Error) => setRefusal(`Not noted: ${error.message}`));
    });
  }

  function begin(tag: string): void {
    setText(`${tag} `);
    field.current?.focus();
  }

  return (
    <section class="panel log">
      <h2>Log</h2>
      <div class="tags">
        {TAGS.map((tag) => (
          <button type="button" class="plain" key={tag} onClick={() => note(tag)}>
            {tag}
          </button>
        ))}
        {TAGS_WITH_VALUE.map((tag) => (
          <button type="button" class="plain" key={tag} onClick={() => begin(tag)}>
            {tag} …
          </button>
        ))}
      </div>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          note(text);
        }}
      >
        <input
          ref={field}
          value={text}
          maxLength={200}
          placeholder="Remark"
          aria-label="Remark"
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit" class="plain">
          Note
        </button>
      </form>
      {refusal !== "" && <em role="alert">{refusal}</em>}
      <ol>
        {logEntries(state).map((entry) => (
          <li key={`${entry.at_s} ${entry.text}`} data-kind={entry.kind}>
            <time>{clock(entry.at_s)}</time>
            <span>{entry.text}</span>
            <small>{entry.by}</small>
          </li>
        ))}
      </ol>
    </section>
  );
}
