import type { FlagSpec } from '../flags/flag-spec.ts';

export const listFormatFlag: FlagSpec = { name: 'format', kind: 'string', help: 'Output format: table, "table TEMPLATE", json, or a Go TEMPLATE' };
export const formatFlag: FlagSpec = { name: 'format', short: 'f', kind: 'string', help: 'Output format: json, or a Go TEMPLATE' };
export const filterFlag: FlagSpec = { name: 'filter', short: 'f', kind: 'filter', help: 'Show only what fits this condition (name=value)' };
export const longFilterFlag: FlagSpec = { name: 'filter', kind: 'filter', help: 'Take only what fits this condition (name=value)' };
export const noTruncFlag: FlagSpec = { name: 'no-trunc', kind: 'bool', help: 'Show IDs and texts in full' };
export const forceFlag: FlagSpec = { name: 'force', short: 'f', kind: 'bool', help: 'Do not ask for confirmation' };
export const detachKeysFlag: FlagSpec = { name: 'detach-keys', kind: 'string', help: 'Keys that detach from a container (ctrl-p,ctrl-q)' };

export function quietFlag(what: string): FlagSpec {
  return { name: 'quiet', short: 'q', kind: 'bool', help: `Show only ${what}` };
}
