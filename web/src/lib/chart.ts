// The arithmetic of the charts: round axes and paths. Pure; drawing is SVG in the components.

/** A round number at or above the peak, and the steps below it. `whole`: things that are counted have no halves. */
export function axis(peak: number, { steps = 4, whole = false } = {}): number[] {
  if (peak <= 0) return [0, 1];
  const rough = whole ? Math.max(1, peak / steps) : peak / steps;
  const power = 10 ** Math.floor(Math.log10(rough));
  const unit = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= rough) ?? 10;
  const step = whole ? Math.ceil(unit * power) : unit * power;
  const top = Math.ceil(peak / step);
  return Array.from({ length: top + 1 }, (_, index) => index * step);
}

export type Point = [x: number, y: number];

export function path(points: Point[]): string {
  return points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
}

/** Where a value between 0 and `top` lies in a picture of this height, 0 being its lower edge. */
export function level(value: number, top: number, height: number): number {
  return height - (Math.min(value, top) / (top || 1)) * height;
}
