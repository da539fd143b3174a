import type { AnyTask, Arch, OutputRef, SourceFile } from '../model/index.ts';

/** Where the engine's sources are and what they were when the plan was made. */
export interface EngineSources {
  /** Folder of the program: paths of `engine` and `host` are relative to it. */
  home: string;
  /** src/engine and package-lock.json (esbuild's version decides the bundle's bytes). */
  engine: SourceFile[];
  /** src/host without its type declarations, relative to src/host. */
  host: SourceFile[];
  /** src/verity-map, relative to it. */
  verityMap: SourceFile[];
  /** src/splash, relative to it. */
  splash: SourceFile[];
}

/** Tasks that make the engine's binary for one architecture in its toolchain tree. Pure. */
export function planEngineBinary(arch: Arch, sources: EngineSources, toolchain: string): { tasks: AnyTask[]; binary: OutputRef; debug: OutputRef; map: OutputRef } {
  const bundle: AnyTask = {
    id: 'engine/bundle',
    kind: 'engine/bundle',
    title: 'engine: bundle',
    args: {},
    inputs: { sources: { from: 'sources', root: sources.home, files: sources.engine } },
    result: 'files',
  };
  const compile: AnyTask = {
    id: `engine/compile/${arch}`,
    kind: 'engine/compile',
    title: `engine: compile for ${arch}`,
    args: { arch },
    inputs: {
      host: { from: 'sources', root: `${sources.home}/src/host`, files: sources.host },
      'bundle.js': { from: 'task', task: bundle.id, output: 'bundle.js' },
      toolchain: { from: 'tree', task: toolchain },
    },
    result: 'files',
  };
  return {
    tasks: [bundle, compile],
    binary: { task: compile.id, output: 'minke' },
    debug: { task: compile.id, output: 'minke.debug' },
    map: { task: bundle.id, output: 'bundle.js.map' },
  };
}

/** Programs of ours for initrds beside the engine: the kind of their task, and the folder of their sources below src/. */
const initrdPrograms = {
  'minke-verity': { kind: 'engine/verity-map', folder: 'verity-map', sources: 'verityMap' },
  'minke-splash': { kind: 'engine/splash', folder: 'splash', sources: 'splash' },
} as const;

export type InitrdProgram = keyof typeof initrdPrograms;

/** The task that makes one of our programs for an architecture's initrds. Pure. */
export function planInitrdProgram(name: InitrdProgram, arch: Arch, sources: EngineSources, toolchain: string): { tasks: AnyTask[]; program: OutputRef } {
  const { kind, folder, sources: files } = initrdPrograms[name];
  const task: AnyTask = {
    id: `${kind}/${arch}`,
    kind,
    title: `${name} for ${arch}`,
    args: { arch },
    inputs: {
      source: { from: 'sources', root: `${sources.home}/src/${folder}`, files: sources[files] },
      host: { from: 'sources', root: `${sources.home}/src/host`, files: sources.host.filter(({ path }) => path === 'architecture.mk') },
      toolchain: { from: 'tree', task: toolchain },
    },
    result: 'files',
  };
  return { tasks: [task], program: { task: task.id, output: name } };
}
