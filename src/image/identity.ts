import { createHash } from 'node:crypto';

/**
 * Identifiers that an image ships with: the same for every image of a machine, so that the same inputs give the same
 * bytes. The initrd knows them and replaces them by random ones when a device boots for the first time.
 */
export interface FactoryIdentity {
  /** GPT disk GUID, upper case as the table's tools print it. */
  diskGuid: string;
  /** MBR disk signature, eight hex digits. */
  diskSignature: string;
  /** Filesystem UUIDs of the ext4 partitions, lower case, and the seeds of their directory hashes. */
  stateUuid: string;
  dataUuid: string;
  /** FAT volume id, eight hex digits. */
  bootVolumeId: string;
}

export function factoryIdentity(machine: string): FactoryIdentity {
  return {
    diskGuid: guidFrom(`${machine}/disk`).toUpperCase(),
    diskSignature: hexFrom(`${machine}/signature`),
    stateUuid: guidFrom(`${machine}/state`),
    dataUuid: guidFrom(`${machine}/data`),
    bootVolumeId: hexFrom(`${machine}/boot`),
  };
}

/** A UUID of version 8 (RFC 9562, "custom") made from a name. */
export function guidFrom(name: string): string {
  const bytes = createHash('sha256').update(`minke:${name}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function hexFrom(name: string): string {
  return createHash('sha256').update(`minke:${name}`).digest('hex').slice(0, 8);
}
