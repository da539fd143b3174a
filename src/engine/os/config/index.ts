// Purpose: config.json of the boot partition: read without ever failing, written below /run for the services that it concerns.
// Owns: what counts of a wrong file, the last good copy, the files that each key becomes, which services hear of a change.
// Must not: need the engine's daemon, a slot, or anything of the network; it runs before all of them.
export { applyConfig, BOOT_CONFIG, presentConfig, updateSettings, type Applied } from './apply.ts';
export { readConfig, type Reading } from './document.ts';
export { edit, findKey, valueAt } from './edit.ts';
export type { CheckSettings } from './engine-settings.ts';
export { complaintText, type Json } from './read.ts';
