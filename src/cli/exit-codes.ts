import type { ErrorCode } from '../model/index.ts';

/** 0 ok, 1 the build failed, 2 usage or configuration, 130 cancelled. */
const usage = new Set<ErrorCode>([
  'OSB_USAGE',
  'OSB_CONFIG_INVALID',
  'OSB_CONFIG_MISSING',
  'OSB_UNKNOWN_MACHINE',
  'OSB_UNKNOWN_RECIPE',
  'OSB_RECIPE_CYCLE',
  'OSB_PACKAGE_MISSING',
]);

export function exitCode(code: ErrorCode): number {
  if (code === 'OSB_CANCELLED') return 130;
  return usage.has(code) ? 2 : 1;
}
