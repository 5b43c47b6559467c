import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";

/** What is drawn besides the series, in the colours of the page. */
export const INK = {
  text: "#e6edf3",
  dim: "#8b99a8",
  faint: "#55626f",
  grid: "#1c2630",
  zone: "rgba(146, 160, 178, 0.13)",
  baseline: "#8592a0",
  onset: "#5fd3a4",
  saliency: "#8f7bff",
  warn: "rgba(224, 185, 59, 0.6)",
  high: "#ff5a4f",
  medium: "#ffd60a",
  low: "#45d0ee",
} as const;

/** `rem` of the page's root font in CSS pixels, which axes take. */
export function cssPx(rem: number): number {
  return rem * parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/** The same in the pixels of a canvas. */
export function canvasPx(rem: number): number {
  return cssPx(rem) * devicePixelRatio;
}

const FAMILY = "ui-sans-serif, system-ui, sans-serif";

export function canvasFont(rem: number, weight = 400): string {
  return `${weight} ${canvasPx(rem)}px ${FAMILY}`;
}

/** The look of an axis of numbers. */
export function axis(sizeRem: number): uPlot.Axis {
  return {
    stroke: INK.dim,
    font: `${cssPx(0.75)}px ${FAMILY}`,
    size: cssPx(sizeRem),
    gap: cssPx(0.2),
    grid: { stroke: INK.grid, width: 1 },
    ticks: { show: false },
  };
}

export function line(
  ctx: CanvasRenderingContext2D,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
): void {
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}

interface Props<Scene> {
  /** Options of a plot; called once. `scene()` gives what the latest rendering passed in. */
  options: (scene: () => Scene) => Omit<uPlot.Options, "width" | "height">;
  data: uPlot.AlignedData;
  scene: Scene;
}

/** A uPlot that fills its place and is drawn anew when its data or its scene change. */
export function Plot<Scene>({ options, data, scene }: Props<Scene>) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(scene);
  latest.current = scene;
  // Fonts and margins of a plot are fixed when it is made: it is made anew where the root font changes.
  const [rem, setRem] = useState(() => cssPx(1));

  useEffect(() => {
    const into = place.current;
    if (into === null) return;
    const size = () => ({ width: into.clientWidth, height: into.clientHeight });
    const made = new uPlot({ ...options(() => latest.current), ...size() }, data, into);
    plot.current = made;
    const watch = new ResizeObserver(() => {
      setRem(cssPx(1));
      made.setSize(size());
    });
    watch.observe(into);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [rem]);

  useEffect(() => plot.current?.setData(data), [data, scene]);

  return <div class="plot" ref={place} />;
}
