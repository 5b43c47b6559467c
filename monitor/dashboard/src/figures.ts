// Figures as people read them aloud.

const THIN_SPACE = "\u2009";

/** Microvolts as people read them aloud: no decimals from 10 on, thousands set apart. */
export function microvolts(uv: number): string {
  if (uv < 10) return uv.toFixed(1);
  return Math.round(uv)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, THIN_SPACE);
}

/** `1 response`, `3 responses`. */
export function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

/** `0:42`, `12:05`, `1:02:03`. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const mmss = `${Math.floor(s / 60) % 60}:${String(s % 60).padStart(2, "0")}`;
  return s < 3600 ? mmss : `${Math.floor(s / 3600)}:${mmss.padStart(5, "0")}`;
}

/** An age that is read at a glance: `4 s`, then `2:05`. */
export function age(seconds: number): string {
  return seconds < 100 ? `${Math.max(0, Math.floor(seconds))} s` : clock(seconds);
}
