// Purpose: devices: emulated boards, their consoles, SSH, disks, and the boot test that uses them.
// Owns: QEMU's command lines and processes, serial consoles, SSH sessions, copies of images made for one run.
// Must not: know how an image is built, read the environment, or change an image that was shipped.
export { bootTest, type BootTestOptions } from './boot-test.ts';
export { flasherCheckNames, flasherTest } from './flasher-test.ts';
export { checkNames, hasBluetooth, hasModem, hasRadio, hasScreen, hasWatchdog, suites, takesRelease, type Suite } from './suites.ts';
export type { BootTestReport, CheckResult } from './report.ts';
export { deviceExecutors } from './executors.ts';
export { modulePackages } from './kernel-module.ts';
export { bluetoothPackages, busyboxPackages, emulationPackages } from './tools.ts';
export { qemuCommand, type QemuFiles, type QemuOptions } from './qemu-command.ts';
export { runInteractively, type InteractiveOptions } from './run.ts';
export { openToolsTree, type ToolsTree } from './tools-tree.ts';
