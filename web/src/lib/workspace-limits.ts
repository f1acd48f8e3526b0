// The limits and rest times of a workspace as people set them: GiB and minutes instead of bytes and milliseconds. Pure.
// The ranges are the server's widest; an operator's narrower ones are told by the server.
import type { WorkspaceLimits, WorkspaceRest } from './api';
import type { LimitField } from './limits';

const MIB = 1 << 20;
const GIB = 1024 * MIB;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const limitFields: LimitField<keyof WorkspaceLimits>[] = [
  { name: 'cpu_millis', min: 100, max: 64_000, scale: 1_000, unit: 'unit.cores', step: 0.1 },
  { name: 'memory_bytes', min: 64 * MIB, max: 256 * GIB, scale: MIB, unit: 'unit.mib', step: 1 },
  { name: 'disk_bytes', min: 16 * MIB, max: 1024 * GIB, scale: GIB, unit: 'unit.gib', step: 0.1 },
  { name: 'pids', min: 32, max: 32_768, scale: 1, unit: null, step: 1 },
];

export const restFields: LimitField<keyof WorkspaceRest>[] = [
  { name: 'freeze_after_ms', min: 500, max: 30 * DAY, scale: MINUTE, unit: 'unit.minutes', step: 0.5 },
  { name: 'freeze_open_after_ms', min: 500, max: 30 * DAY, scale: MINUTE, unit: 'unit.minutes', step: 0.5 },
  { name: 'stop_after_ms', min: 500, max: 90 * DAY, scale: HOUR, unit: 'unit.hours', step: 0.25 },
  { name: 'jobs_most_ms', min: 1_000, max: 30 * DAY, scale: HOUR, unit: 'unit.hours', step: 0.25 },
];
