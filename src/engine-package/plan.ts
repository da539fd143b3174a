import type { AnyTask, Arch, OutputRef, SourceFile } from '../model/index.ts';

/** Debian packages of the programs that the engine calls. */
export const programPackages: readonly string[] = ['conmon', 'crun', 'nftables'];

/** Debian packages of the tree that packs them. */
export const packagerTools: readonly string[] = ['coreutils', 'dash', 'dpkg', 'gzip', 'patchelf', 'tar'];

/** The installer, the unit and what goes with them: src/engine-package/files. */
export interface PackageFiles {
  root: string;
  files: SourceFile[];
}

export interface EnginePackageParts {
  version: string;
  binary: OutputRef;
  /** Task of a tree of the architecture's own with `programPackages`. */
  programs: string;
  /** Task that fetched that tree's packages: their licences are not in the tree. */
  debs: string;
  /** Task of a tree with `packagerTools`. */
  packager: string;
  files: PackageFiles;
}

/** The task that packs the engine for one architecture. Pure. */
export function planEnginePackage(arch: Arch, { version, binary, programs, debs, packager, files }: EnginePackageParts): { tasks: AnyTask[]; archive: OutputRef; fileName: string } {
  const name = `minke-${version}-${arch}`;
  const task: AnyTask = {
    id: `package/engine/${arch}`,
    kind: 'package/engine',
    title: `engine: archive for ${arch}`,
    args: { name },
    inputs: {
      minke: { from: 'task', ...binary },
      programs: { from: 'tree', task: programs },
      debs: { from: 'task-files', task: debs },
      files: { from: 'sources', root: files.root, files: files.files },
      tools: { from: 'tree', task: packager },
    },
    result: 'files',
  };
  return { tasks: [task], archive: { task: task.id, output: 'package.tar.gz' }, fileName: `${name}.tar.gz` };
}
