import { createPublicKey, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { releaseLabel, signaturesLabel, type Release } from '../image/release.ts';
import { OsbuildError, type ReleaseSigner } from '../model/index.ts';

/** What the configuration of an OS image says of its release. */
export interface ReleaseImage {
  /** Digest of the configuration. */
  imageId: string;
  machine: string;
  version: string;
  mode: string;
  /** As it stands in its label, which is what signatures are over. */
  text: string;
  signatures: string[];
}

/** Null for an image that is no release. */
export function readRelease(imageId: string, configText: string): ReleaseImage | null {
  try {
    const { config } = JSON.parse(configText) as { config?: { Labels?: Record<string, string> } };
    const text = config?.Labels?.[releaseLabel];
    if (text === undefined) return null;
    const { machine, os, mode } = JSON.parse(text) as Partial<Release>;
    const signatures: unknown = JSON.parse(config?.Labels?.[signaturesLabel] ?? '[]');
    if (typeof machine !== 'string' || typeof os?.version !== 'string' || !Array.isArray(signatures)) return null;
    return { imageId, machine, version: os.version, mode: mode ?? '', text, signatures: signatures.map(String) };
  } catch {
    return null;
  }
}

/**
 * Devices that trust keys take releases alone that are signed: each of the project's keys has to have signed this one.
 * @throws OSB_SIGNATURE_INVALID
 */
export async function checkSigned(release: ReleaseImage, signers: readonly ReleaseSigner[]): Promise<void> {
  for (const { file } of signers) {
    const key = createPublicKey(await readFile(file, 'utf8'));
    if (release.signatures.some((signature) => verify('sha256', Buffer.from(release.text), key, Buffer.from(signature, 'base64')))) continue;
    const what = release.signatures.length === 0 ? 'is not signed' : `is not signed with ${file}`;
    throw new OsbuildError('OSB_SIGNATURE_INVALID', `release ${release.version} of ${release.machine} ${what}, and updates.signWith in build.config.yaml names that key`, { hint: 'build the image again with this configuration: `osbuild image` signs' });
  }
}
