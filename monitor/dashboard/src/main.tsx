import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/topbar.css";
import "./style/banner.css";
import "./style/muscles.css";
import "./style/side.css";
import "./style/states.css";

import { render } from "preact";

import { App } from "./app.tsx";
import { follow } from "./feed.ts";
import { initialState, reduce } from "./state.ts";

const page = document.getElementById("page");
if (page === null) throw new Error("index.html has no #page");

let state = initialState(performance.now());
let shown = state;

function show(): void {
  if (shown === state || page === null) return;
  shown = state;
  render(<App state={state} />, page);
}

follow({
  state: () => state,
  dispatch(input) {
    state = reduce(state, input);
    // A burst of messages is drawn once. The clock draws by itself: in a tab that is not looked at
    // there are no animation frames, and its alarm must sound all the same.
    if (input.type === "clock") show();
    else requestAnimationFrame(show);
  },
});
