// Purpose: the OS around the engine: which of its two slots runs, updates into the other one, trying it, keeping it or going back.
// Owns: releases, the boot loader's choice, the writing of a slot, health of a new release, what became of an update.
// Must not: talk to registries or containers but through the engine's API, or be needed by the engine on any other system.
export { openDevice, type Device } from './device.ts';
export { migrate, type Migrated, type MigrationStatus } from './migrations.ts';
export { markGood, rollBack, settle, type Settled } from './settle.ts';
export { describeLocks, takeLocks, updateLocks, type ContainerName, type TakenLocks } from './locks.ts';
export type { OsEngine, RunningProgram } from './engine.ts';
export { updateFromStick } from './stick.ts';
export { describeStatus, type OsStatus } from './status.ts';
export { update, type Updated, type UpdateRequest } from './update.ts';
export { updateSettings } from './config/index.ts';
