// Purpose: the engine with the programs that it calls as one archive that is installed on any Linux.
// Owns: what is in the archive, how Debian's programs are made to run without Debian, the installer.
// Must not: compile the engine or make trees; it is given both.
export { packageExecutors } from './executor.ts';
export { packagerTools, planEnginePackage, programPackages, type PackageFiles } from './plan.ts';
