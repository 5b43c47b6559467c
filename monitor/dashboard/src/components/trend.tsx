import { useMemo } from "preact/hooks";
import type uPlot from "uplot";

import type { Alarm, Annotation, Channel } from "../contract.ts";
import type { ViewState } from "../state.ts";
import { clock } from "../figures.ts";
import { caseTime_s, percentTrend, sideWord } from "../view.ts";
import { INK, Plot, axis, canvasFont, canvasPx, cssPx, line } from "./plot.tsx";

/** Above this the curve runs along the upper edge: a rise needs no exact reading, a drop does. */
const TOP_PERCENT = 200;
/** The time axis at the start of a case; it grows with the case. */
const SHORTEST_S = 60;

/** Muscles by hue and by dash, so that two lines can be told apart without seeing colour. */
const LINES: readonly { stroke: string; dash: number[] }[] = [
  { stroke: "#82aaff", dash: [] },
  { stroke: "#c792ea", dash: [7, 3] },
  { stroke: "#9ece6a", dash: [2, 3] },
  { stroke: "#f0a878", dash: [9, 3, 2, 3] },
  { stroke: "#7fd1c7", dash: [] },
  { stroke: "#e6c27a", dash: [7, 3] },
  { stroke: "#b7c4d1", dash: [2, 3] },
  { stroke: "#e69ac0", dash: [9, 3, 2, 3] },
];

interface Curve {
  label: string;
  stroke: string;
  dash: number[];
  last: number | null;
  alarmed: boolean;
}

interface Scene {
  until_s: number;
  alarm_percent: number;
  curves: Curve[];
  annotations: readonly Annotation[];
  alarms: readonly Alarm[];
}

interface Props {
  state: ViewState;
  channels: readonly Channel[];
  open: readonly Alarm[];
}

/** Percent of baseline over case time, a line a muscle, with the events of the case. */
export function Trend({ state, channels, open }: Props) {
  const known_s = Math.max(caseTime_s(state) ?? 0, state.trials.at(-1)?.stimulus_s ?? 0);
  // The axis grows in steps, so that the plot is not drawn anew at every beat of the clock.
  const until_s = Math.max(SHORTEST_S, 30 * Math.ceil(known_s / 30));
  const names = channels.map((channel) => channel.channel).join(" ");
  const alarm_percent = state.caseInfo?.alarm_percent ?? 50;

  const data = useMemo<uPlot.AlignedData>(
    () => [
      state.trials.map((trial) => trial.stimulus_s),
      ...channels.map((channel) =>
        percentTrend(state, channel.channel).map((p) => (p === null ? p : Math.min(p, TOP_PERCENT))),
      ),
    ],
    [state.trials, names],
  );
  const scene = useMemo<Scene>(
    () => ({
      until_s,
      alarm_percent,
      annotations: state.annotations,
      alarms: [...state.alarms.values()].filter((alarm) => concerns(alarm, channels)),
      curves: channels.map((channel, i) => {
        const look = LINES[i % LINES.length] ?? { stroke: INK.text, dash: [] };
        const values = data[i + 1] as (number | null)[];
        return {
          ...look,
          label: channel.muscle || channel.channel,
          last: values.findLast((p) => p !== null) ?? null,
          alarmed: open.some((a) => a.channel === channel.channel && a.class === "physiological"),
        };
      }),
    }),
    [data, until_s, alarm_percent, state.annotations, state.alarms],
  );
  const side = sideWord(channels[0]?.side ?? "");
  return (
    <figure class="trend">
      <figcaption>
        {side} <small>% of baseline over case time</small>
      </figcaption>
      {channels.length > 0 && (
        <Plot key={names} options={options} data={data} scene={scene} />
      )}
    </figure>
  );
}

function concerns(alarm: Alarm, channels: readonly Channel[]): boolean {
  return alarm.channel === "" || channels.some((c) => c.channel === alarm.channel);
}

function options(scene: () => Scene): Omit<uPlot.Options, "width" | "height"> {
  return {
    legend: { show: false },
    cursor: { show: false },
    padding: [6, cssPx(4), 0, 0],
    scales: {
      x: { time: false, range: () => [0, scene().until_s] },
      y: { range: [0, TOP_PERCENT] },
    },
    axes: [
      {
        ...axis(1.2),
        space: cssPx(4.5),
        incrs: [10, 30, 60, 120, 300, 600, 900, 1800, 3600],
        // The first would stand on the other axis's zero.
        values: (_, splits) => splits.map((s) => (s === 0 ? "" : clock(s))),
      },
      {
        ...axis(2.2),
        splits: () => [0, 50, 100, 150, 200],
      },
    ],
    series: [
      {},
      ...scene().curves.map((curve) => ({
        stroke: curve.stroke,
        dash: curve.dash,
        width: 1.75,
        points: { show: true, size: 5, fill: curve.stroke, stroke: curve.stroke },
      })),
    ],
    hooks: {
      drawClear: [(plot) => drawCriterion(plot, scene())],
      draw: [(plot) => drawEvents(plot, scene()), (plot) => drawLabels(plot, scene())],
    },
  };
}

function drawCriterion(plot: uPlot, scene: Scene): void {
  const { ctx, bbox } = plot;
  const y = (percent: number) => plot.valToPos(percent, "y", true);
  scene.curves.forEach((curve, i) => {
    const series = plot.series[i + 1];
    if (series !== undefined) series.width = curve.alarmed ? 3.5 : 1.75;
  });
  const right = bbox.left + bbox.width;
  ctx.save();
  ctx.fillStyle = "rgba(255, 90, 79, 0.10)";
  ctx.fillRect(bbox.left, y(scene.alarm_percent), bbox.width, y(0) - y(scene.alarm_percent));
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.strokeStyle = INK.high;
  ctx.setLineDash([canvasPx(0.5), canvasPx(0.3)]);
  line(ctx, bbox.left, y(scene.alarm_percent), right, y(scene.alarm_percent));
  ctx.setLineDash([]);
  ctx.strokeStyle = INK.faint;
  line(ctx, bbox.left, y(100), right, y(100));
  ctx.restore();
}

function drawEvents(plot: uPlot, scene: Scene): void {
  const { ctx, bbox } = plot;
  const foot = bbox.top + bbox.height;
  ctx.save();
  ctx.font = canvasFont(0.85);
  ctx.textAlign = "left";
  ctx.textBaseline = "top";
  // Remarks: a line each, and their words as long as they don't run into the one before.
  let free = 0;
  for (const { at_s, text } of scene.annotations) {
    const x = plot.valToPos(at_s, "x", true);
    ctx.strokeStyle = INK.faint;
    ctx.lineWidth = devicePixelRatio;
    line(ctx, x, bbox.top, x, foot);
    if (x < free) continue;
    ctx.fillStyle = INK.dim;
    ctx.fillText(text, x + canvasPx(0.25), bbox.top + canvasPx(0.1));
    free = x + canvasPx(0.75) + ctx.measureText(text).width;
  }
  // Alarms: a triangle on the time axis where each was raised.
  const half = canvasPx(0.4);
  for (const alarm of scene.alarms) {
    const x = plot.valToPos(alarm.raised_s, "x", true);
    ctx.fillStyle = INK[alarm.priority];
    ctx.beginPath();
    ctx.moveTo(x - half, foot);
    ctx.lineTo(x + half, foot);
    ctx.lineTo(x, foot - 1.8 * half);
    ctx.closePath();
    ctx.fill();
  }
  ctx.restore();
}

/** The name of each muscle at the end of its line, moved apart where they would overlap. */
function drawLabels(plot: uPlot, scene: Scene): void {
  const { ctx, bbox } = plot;
  const step = canvasPx(1.05);
  const placed = scene.curves
    .flatMap((curve) =>
      curve.last === null ? [] : [{ curve, y: plot.valToPos(curve.last, "y", true) }],
    )
    .sort((a, b) => a.y - b.y);
  placed.forEach((label, i) => {
    const above = placed[i - 1];
    if (above !== undefined) label.y = Math.max(label.y, above.y + step);
  });
  const overrun = (placed.at(-1)?.y ?? 0) - (bbox.top + bbox.height);
  ctx.save();
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  for (const { curve, y } of placed) {
    ctx.font = canvasFont(0.95, curve.alarmed ? 700 : 400);
    ctx.fillStyle = curve.stroke;
    const text = curve.alarmed ? `▼ ${curve.label}` : curve.label;
    ctx.fillText(text, bbox.left + bbox.width + canvasPx(0.35), y - Math.max(0, overrun));
  }
  ctx.restore();
}
