// The live feed: one WebSocket, taken up again after every loss without a gap and without doubles.

import { feedAddress, fetchCase, fetchWaveforms } from "./api.ts";
import { type Message, decodeFrame } from "./contract.ts";
import { type Input, type ViewState, continuity } from "./state.ts";
import { lastTrial } from "./view.ts";

const CLOCK_MS = 250;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 4000;
/** An open socket that says nothing for this long is given up: the far end may be gone. */
const DEAF_MS = 5000;
/** Sweeps follow their trial at once; where they were dropped they are asked for. */
const SWEEPS_LATE_MS = 400;

export interface Store {
  state(): ViewState;
  dispatch(input: Input): void;
}

/** Follow the feed for as long as the page lives. */
export function follow(store: Store): void {
  let socket: WebSocket | null = null;
  let retryMs = FIRST_RETRY_MS;
  let openedAtMs = 0;

  async function open(): Promise<void> {
    openedAtMs = performance.now();
    let since: number | null = null;
    const known = store.state().caseInfo;
    if (known !== null) {
      // Another case has another count of events: only the same case is taken up where it was left.
      const now = await fetchCase().catch(() => null);
      if (now === null) return retry();
      if (now.id === known.id) since = store.state().seq;
    }
    openedAtMs = performance.now();
    const mine = new WebSocket(feedAddress(since));
    mine.binaryType = "arraybuffer";
    mine.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      if (mine !== socket) return;
      retryMs = FIRST_RETRY_MS;
      if (typeof event.data === "string") hear(mine, JSON.parse(event.data) as Message);
      else hearSweeps(event.data);
    };
    mine.onclose = () => {
      if (mine === socket) retry();
    };
    socket = mine;
  }

  function retry(): void {
    const left = socket;
    socket = null;
    left?.close();
    setTimeout(() => void open(), retryMs);
    retryMs = Math.min(2 * retryMs, LAST_RETRY_MS);
  }

  function hear(from: WebSocket, message: Message): void {
    const next = continuity(store.state(), message);
    store.dispatch({ type: "message", message, atMs: performance.now() });
    if (next === "gap") return retry();
    if (message.type === "heartbeat") return;
    from.send(JSON.stringify({ type: "received", seq: message.seq }));
    if (message.type === "trial" || message.type === "snapshot") {
      setTimeout(() => void askForSweeps(), SWEEPS_LATE_MS);
    }
  }

  function hearSweeps(frame: ArrayBuffer): void {
    const waveforms = decodeFrame(frame);
    if (waveforms.case !== store.state().caseInfo?.id) return;
    store.dispatch({ type: "waveforms", waveforms, atMs: performance.now() });
  }

  async function askForSweeps(): Promise<void> {
    const last = lastTrial(store.state());
    if (last === null || store.state().waveforms?.trial === last.trial) return;
    const hasSweeps = last.channels.some((c) => !["late", "gap", "incomplete"].includes(c.status));
    const waveforms = hasSweeps ? await fetchWaveforms(last.trial).catch(() => null) : null;
    if (waveforms !== null) {
      store.dispatch({ type: "waveforms", waveforms, atMs: performance.now() });
    }
  }

  setInterval(() => {
    const nowMs = performance.now();
    const heardMs = Math.max(store.state().lastMessageAtMs ?? 0, openedAtMs);
    if (socket !== null && nowMs - heardMs > DEAF_MS) retry();
    store.dispatch({ type: "clock", atMs: nowMs });
  }, CLOCK_MS);
  void open();
}
