import { useEffect } from "preact/hooks";

import { AlarmList } from "./components/alarms.tsx";
import { Banner } from "./components/banner.tsx";
import { useOperator } from "./components/operator.tsx";
import { Log } from "./components/log.tsx";
import { useRebaseline } from "./components/rebaseline.tsx";
import { Muscles } from "./components/muscles.tsx";
import { TopBar } from "./components/topbar.tsx";
import type { ViewState } from "./state.ts";
import { rankedAlarms, reception, titleWords } from "./view.ts";

export function App({ state }: { state: ViewState }) {
  const operator = useOperator();
  const rebaseline = useRebaseline(state, operator);
  const alarms = rankedAlarms(state);
  const received = reception(state);
  const title = titleWords(state, alarms.open);
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <div class="page" data-reception={received.replace(" ", "-")}>
      <TopBar state={state} operator={operator} />
      <Banner state={state} open={alarms.open} operator={operator} />
      <main>
        <Muscles state={state} open={alarms.open} setAnew={rebaseline.open} />
        <aside>
          <AlarmList state={state} alarms={alarms} operator={operator} />
          <Log state={state} operator={operator} />
        </aside>
      </main>
      {rebaseline.dialog}
      {operator.dialog}
    </div>
  );
}
