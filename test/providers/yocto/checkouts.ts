import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type { TestContext } from 'vitest';

import { need } from '../../support/need.ts';

/** A folder with checkouts of bitbake and of all layers, each under its name in build.config.yaml. */
export const layersFolder = process.env['OSBUILD_LAYERS_DIR'] ?? '';

const checkout = (name: string, variable: string): string => process.env[variable] ?? (layersFolder !== '' && existsSync(join(layersFolder, name)) ? join(layersFolder, name) : '');

/** Checkouts of bitbake 2.8 and of openembedded-core, branch scarthgap, where tests may use them. */
export const bitbake = checkout('bitbake', 'OSBUILD_BITBAKE_DIR');
export const core = checkout('openembedded-core', 'OSBUILD_OECORE_DIR');

/** Second tier: bitbake and openembedded-core alone. */
export function needBitbake(context: TestContext): void {
  needYocto(context, bitbake !== '' && core !== '', 'neither OSBUILD_BITBAKE_DIR and OSBUILD_OECORE_DIR nor OSBUILD_LAYERS_DIR name checkouts of bitbake and openembedded-core');
}

/** Third tier: every layer that a machine may want. */
export function needLayers(context: TestContext): void {
  needYocto(context, layersFolder !== '', 'OSBUILD_LAYERS_DIR names no folder with checkouts of bitbake and the layers');
}

/** Skips, or fails where OSBUILD_REQUIRE_YOCTO says that nothing of Yocto may be skipped. */
export function needYocto(context: TestContext, holds: boolean, reason: string): void {
  if (!holds && process.env['OSBUILD_REQUIRE_YOCTO'] === '1') throw new Error(`OSBUILD_REQUIRE_YOCTO is set, but ${reason}`);
  need(context, holds, reason);
}
