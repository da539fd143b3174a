import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A home folder without any configuration, for the clients under test. */
export const emptyHome = mkdtempSync(join(tmpdir(), 'engine-cli-home-'));
process.on('exit', () => rmSync(emptyHome, { recursive: true, force: true }));
