import { useMemo } from "preact/hooks";
import type uPlot from "uplot";

import type {
  Baseline,
  CaseInfo,
  ChannelTrial,
  ExplainedChannel,
  Explanation,
  Trial,
  Waveforms,
} from "../contract.ts";
import { microvolts } from "../figures.ts";
import { halfScale_uv } from "../view.ts";
import { onsetSd_ms } from "./explanation.tsx";
import { INK, Plot, axis, canvasFont, canvasPx, line } from "./plot.tsx";

/** The part of a sweep that is shown, from the first pulse; later samples hold no answer. */
const FROM_MS = -8;
const TO_MS = 100;

interface Scene {
  halfScale_uv: number;
  blankFrom_ms: number;
  blankTo_ms: number;
  onset_ms: number | null;
  onsetUncertain: boolean;
  baselineOnset_ms: number | null;
  doubtful: boolean;
  heat: Heat | null;
}

/** What spoke for a response, step by step from 0 to 1, and where the network saw its onset. */
interface Heat {
  from_ms: number;
  step_ms: number;
  values: readonly number[];
  onset_ms: number | null;
  onsetSd_ms: number | null;
}

interface Props {
  info: CaseInfo;
  trial: Trial | null;
  row: ChannelTrial | null;
  baseline: Baseline | null;
  waveforms: Waveforms | null;
  explanation: Explanation | null;
  mine: ExplainedChannel | null;
}

/** The last sweep over the baseline's, in ms from the first pulse, at the muscle's own scale. */
export function Sweep({ info, trial, row, baseline, waveforms, explanation, mine: why }: Props) {
  const mine = waveforms !== null && waveforms.trial === trial?.trial ? waveforms : null;
  const sweep = (row && mine?.sweeps_uv.get(row.channel)) ?? null;
  const index = mine?.stimulus_index ?? Math.round((info.pre_ms / 1000) * info.fs_hz);

  const data = useMemo(
    () => aligned(sweep, baseline?.sweep_uv ?? null, index, info.fs_hz),
    [sweep, baseline, index, info.fs_hz],
  );
  const scene = useMemo<Scene>(
    () => ({
      halfScale_uv: halfScale_uv(baseline, largest(data[2])),
      blankFrom_ms: -info.blank_before_ms,
      blankTo_ms: (trial?.pulses_ms.at(-1) ?? 0) + info.blank_after_ms,
      onset_ms: row?.onset_ms ?? null,
      onsetUncertain: row?.onset_uncertain ?? false,
      baselineOnset_ms: baseline?.onset_ms ?? null,
      doubtful: row?.status === "rejected",
      heat: explanation === null || why === null ? null : heatOf(explanation, why),
    }),
    [data, trial, row, baseline, info, explanation, why],
  );
  return <Plot options={options} data={data} scene={scene} />;
}

/**
 * All muscles of a trial are held to its strongest, so that silence stays pale; but a trial without
 * any response must not look like one.
 */
const LEAST_TOP = 1;

function heatOf(explanation: Explanation, mine: ExplainedChannel): Heat | null {
  if (mine.saliency === null) return null;
  let top = LEAST_TOP;
  for (const other of explanation.channels) top = Math.max(top, largest(other.saliency ?? []));
  const sd_ms = onsetSd_ms(mine);
  return {
    from_ms: explanation.window_start_ms,
    step_ms: 1000 / explanation.fs_hz,
    // Lifted a little, so that the weak is seen beside the peaks and silence stays pale.
    values: mine.saliency.map((value) => (value / top) ** 0.75),
    onset_ms: sd_ms === null ? null : mine.onset_ms,
    onsetSd_ms: sd_ms,
  };
}

function aligned(
  sweep: Float32Array | null,
  baseline: ArrayLike<number | null> | null,
  stimulusIndex: number,
  fs_hz: number,
): uPlot.AlignedData {
  const first = Math.max(0, Math.ceil(stimulusIndex + (FROM_MS / 1000) * fs_hz));
  const end = Math.min(
    Math.max(sweep?.length ?? 0, baseline?.length ?? 0),
    Math.floor(stimulusIndex + (TO_MS / 1000) * fs_hz) + 1,
  );
  const n = Math.max(0, end - first);
  const ms = Array.from({ length: n }, (_, i) => ((first + i - stimulusIndex) / fs_hz) * 1000);
  const part = (uv: ArrayLike<number | null> | null) =>
    ms.map((_, i) => {
      const value = uv?.[first + i];
      return value === undefined || value === null || Number.isNaN(value) ? null : value;
    });
  return [ms, part(baseline), part(sweep)];
}

function largest(uv: ArrayLike<number | null | undefined> | undefined): number {
  let peak = 0;
  for (let i = 0; i < (uv?.length ?? 0); i++) peak = Math.max(peak, Math.abs(uv?.[i] ?? 0));
  return peak;
}

function options(scene: () => Scene): Omit<uPlot.Options, "width" | "height"> {
  return {
    legend: { show: false },
    cursor: { show: false },
    padding: [4, 0, 0, 0],
    scales: {
      x: { time: false, range: [FROM_MS, TO_MS] },
      y: { range: () => [-scene().halfScale_uv, scene().halfScale_uv] },
    },
    axes: [
      {
        ...axis(1.2),
        splits: () => [0, 20, 40, 60, 80],
        values: (_, splits) => splits.map((ms) => (ms === 80 ? "80 ms" : String(ms))),
      },
      { show: false },
    ],
    series: [
      {},
      { stroke: INK.baseline, width: 1.75, points: { show: false } },
      {
        stroke: () => (scene().doubtful ? INK.warn : INK.text),
        width: 2,
        points: { show: false },
      },
    ],
    hooks: {
      drawClear: [(plot) => drawBehind(plot, scene())],
      draw: [(plot) => drawOnset(plot, scene()), (plot) => drawScale(plot, scene())],
    },
  };
}

function drawBehind(plot: uPlot, scene: Scene): void {
  const { ctx, bbox } = plot;
  const x = (ms: number) => plot.valToPos(ms, "x", true);
  ctx.save();
  // Where the artefact was blanked: what is drawn there is no signal.
  const left = x(scene.blankFrom_ms);
  ctx.fillStyle = INK.zone;
  ctx.fillRect(left, bbox.top, x(scene.blankTo_ms) - left, bbox.height);
  ctx.strokeStyle = INK.grid;
  ctx.lineWidth = devicePixelRatio;
  const zero = plot.valToPos(0, "y", true);
  line(ctx, bbox.left, zero, bbox.left + bbox.width, zero);
  if (scene.heat !== null) drawHeat(plot, scene.heat);
  if (scene.baselineOnset_ms !== null) {
    const at = x(scene.baselineOnset_ms);
    ctx.strokeStyle = INK.faint;
    ctx.setLineDash([canvasPx(0.2), canvasPx(0.25)]);
    line(ctx, at, bbox.top, at, bbox.top + bbox.height);
  }
  ctx.restore();
}

/** A glow behind the trace and a strip at its foot, where it can be read off against the time. */
function drawHeat(plot: uPlot, heat: Heat): void {
  const { ctx, bbox } = plot;
  const strip = canvasPx(0.6);
  const foot = bbox.top + bbox.height;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = INK.saliency;
  heat.values.forEach((value, i) => {
    const from = plot.valToPos(heat.from_ms + i * heat.step_ms, "x", true);
    const to = plot.valToPos(heat.from_ms + (i + 1) * heat.step_ms, "x", true);
    ctx.globalAlpha = 0.55 * value;
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
    ctx.globalAlpha = value;
    ctx.fillRect(from, foot - strip, to - from, strip);
  });
  if (heat.onset_ms !== null && heat.onsetSd_ms !== null) {
    const from = plot.valToPos(heat.onset_ms - heat.onsetSd_ms, "x", true);
    const to = plot.valToPos(heat.onset_ms + heat.onsetSd_ms, "x", true);
    ctx.globalAlpha = 0.45;
    ctx.fillStyle = INK.onset;
    ctx.fillRect(from, bbox.top + bbox.height * 0.5, Math.max(to - from, 2), bbox.height * 0.5);
  }
  ctx.restore();
}

function drawOnset(plot: uPlot, scene: Scene): void {
  if (scene.onset_ms === null) return;
  const { ctx, bbox } = plot;
  const at = plot.valToPos(scene.onset_ms, "x", true);
  const half = canvasPx(0.32);
  const foot = bbox.top + bbox.height;
  ctx.save();
  ctx.strokeStyle = INK.onset;
  ctx.fillStyle = INK.onset;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  if (scene.onsetUncertain) ctx.setLineDash([canvasPx(0.3), canvasPx(0.2)]);
  line(ctx, at, bbox.top + bbox.height * 0.5, at, foot);
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(at - half, foot);
  ctx.lineTo(at + half, foot);
  ctx.lineTo(at, foot - 1.6 * half);
  ctx.closePath();
  if (scene.onsetUncertain) ctx.stroke();
  else ctx.fill();
  ctx.restore();
}

function drawScale(plot: uPlot, scene: Scene): void {
  if (plot.data[0].length === 0) return;
  const { ctx, bbox } = plot;
  const right = bbox.left + bbox.width - canvasPx(0.3);
  const top = plot.valToPos(scene.halfScale_uv / 2, "y", true);
  const foot = plot.valToPos(0, "y", true);
  const serif = canvasPx(0.25);
  ctx.save();
  ctx.strokeStyle = INK.dim;
  ctx.fillStyle = INK.dim;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  line(ctx, right, top, right, foot);
  line(ctx, right - serif, top, right + serif, top);
  line(ctx, right - serif, foot, right + serif, foot);
  ctx.font = canvasFont(0.85);
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  const label = `${microvolts(scene.halfScale_uv / 2)} µV`;
  ctx.fillText(label, right - 1.8 * serif, (top + foot) / 2);
  ctx.restore();
}
