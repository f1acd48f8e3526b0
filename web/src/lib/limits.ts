// The limits of an app as people set them: units instead of bytes and milliseconds. Pure.
// The ranges are the server's (`AppLimits::RANGES`); it decides, this saves a round trip.
import type { AppLimits } from './api';
import type { MessageKey } from './messages/en/index';

export type LimitName = keyof AppLimits;
export type LimitField<Name extends string = LimitName> = { name: Name; min: number; max: number; scale: number; unit: MessageKey | null; step: number };

const MIB = 1 << 20;
const plain = (name: LimitName, min: number, max: number): LimitField => ({ name, min, max, scale: 1, unit: null, step: 1 });
const seconds = (name: LimitName, min: number, max: number): LimitField => ({ name, min, max, scale: 1_000, unit: 'unit.seconds', step: 0.1 });
const mib = (name: LimitName, min: number, max: number): LimitField => ({ name, min, max, scale: MIB, unit: 'unit.mib', step: 1 });
const rate = (name: LimitName): LimitField => ({ name, min: 1, max: 1_000_000, scale: 1, unit: 'unit.per_second', step: 1 });

export const fields: Record<LimitName, LimitField> = {
  cpu_millis: { name: 'cpu_millis', min: 50, max: 16_000, scale: 1_000, unit: 'unit.cores', step: 0.05 },
  memory_bytes: mib('memory_bytes', 64 * MIB, 8192 * MIB),
  pids: plain('pids', 16, 1_024),
  disk_bytes: mib('disk_bytes', MIB, 4096 * MIB),
  instances_min: plain('instances_min', 0, 16),
  instances_max: plain('instances_max', 1, 16),
  concurrency: plain('concurrency', 1, 4_000),
  queue: plain('queue', 0, 10_000),
  freeze_after_ms: seconds('freeze_after_ms', 500, 86_400_000),
  stop_after_ms: seconds('stop_after_ms', 500, 604_800_000),
  total_timeout_ms: seconds('total_timeout_ms', 100, 3_600_000),
  idle_timeout_ms: seconds('idle_timeout_ms', 100, 3_600_000),
  loop_timeout_ms: seconds('loop_timeout_ms', 500, 60_000),
  request_body_bytes: mib('request_body_bytes', 0, 1024 * MIB),
  rate_app: rate('rate_app'),
  rate_client: rate('rate_client'),
};

export const groups: { title: MessageKey; text: MessageKey; names: LimitName[] }[] = [
  { title: 'set.resources', text: 'set.resources_text', names: ['cpu_millis', 'memory_bytes', 'disk_bytes', 'pids'] },
  { title: 'set.scaling', text: 'set.scaling_text', names: ['instances_min', 'instances_max', 'concurrency', 'queue'] },
  { title: 'set.times', text: 'set.times_text', names: ['total_timeout_ms', 'idle_timeout_ms', 'loop_timeout_ms'] },
  { title: 'set.traffic', text: 'set.traffic_text', names: ['request_body_bytes', 'rate_app', 'rate_client'] },
];

export const shownOf = (field: LimitField<string>, value: number): number => Number((value / field.scale).toFixed(3));
export const valueOf = (field: LimitField<string>, shown: number): number => Math.round(shown * field.scale);

export function inRange(field: LimitField<string>, value: number): boolean {
  return Number.isFinite(value) && value >= field.min && value <= field.max;
}

/** A duration in words that the reader's locale knows: `30 sec`, `10 min`, `2 hr`. */
export function duration(ms: number, locale: string): string {
  const [value, unit] =
    ms < 60_000 ? [ms / 1_000, 'second'] : ms < 3_600_000 ? [ms / 60_000, 'minute'] : ms < 86_400_000 ? [ms / 3_600_000, 'hour'] : [ms / 86_400_000, 'day'];
  return new Intl.NumberFormat(locale, { style: 'unit', unit: unit as string, unitDisplay: 'short', maximumFractionDigits: 1 }).format(value as number);
}
