// The server's rules about names, told before a request is sent. The server decides; this only saves a round trip.
import type { MessageKey } from './messages/en/index';

export function usernameFault(name: string): MessageKey | null {
  if (name.length < 3 || name.length > 32) return 'rule.username_length';
  return /^[a-z][a-z0-9-]*$/.test(name) ? null : 'rule.username_shape';
}

export function functionNameFault(name: string): MessageKey | null {
  if (name.length < 1 || name.length > 256) return 'rule.function_length';
  if (!/^[A-Za-z0-9_.\-/]+$/.test(name)) return 'rule.function_letters';
  const parts = name.split('/');
  if (parts.some((part) => part === '')) return 'rule.function_slashes';
  if (parts.some((part) => part === '.' || part === '..') || name.includes('./')) return 'rule.function_dots';
  return null;
}

export function variableNameFault(name: string): MessageKey | null {
  return /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name) ? null : 'rule.variable_shape';
}

export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const;
export const SPECIAL_NAMES = ['__init__', '__interceptor__', '__default__', '__websocket__'] as const;
export const SOURCE_LIMIT = 512 * 1024;
