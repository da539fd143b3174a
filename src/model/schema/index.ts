export type { BuildConfig as Build } from './build.ts';
export type { DeviceConfig } from './config.ts';
export type { Machine } from './machine.ts';
export type { Recipe } from './recipe.ts';
