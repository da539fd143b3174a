import type { DeviceSteps, Machine, RecipeSource } from '../model/index.ts';
import { accessChecks } from './checks/access.ts';
import { applicationsChecks, returningApplications } from './checks/applications.ts';
import { cellularChecks } from './checks/cellular.ts';
import type { BootCheck } from './checks/check.ts';
import { configChecks, halfAFile, lastGood, noFile, wrongValues } from './checks/config.ts';
import { leaveProfiles, profileChecks } from './checks/connections.ts';
import { cutDuringPull, finishPull, makeReleases, runFirstRelease, runSecondRelease, storeIsWhole } from './checks/delta-pull.ts';
import { destroyRoot, flippedBit, leftSlot, repair, undamaged } from './checks/damage.ts';
import { diskChecks } from './checks/disk.ts';
import { dockerChecks } from './checks/docker.ts';
import { engineChecks, leavesContainer, loadsImage, publishesPort, returningContainer, returningLeaver, runsContainer, usableImage } from './checks/engine.ts';
import { askForReset, diskErrors, freeRoom, fullDisk, hang, repaired, reset } from './checks/field.ts';
import { kernelModuleChecks } from './checks/kernel-module.ts';
import { networkChecks } from './checks/network.ts';
import { nameOverlays, overlayChecks } from './checks/overlays.ts';
import { leaveMarks, noFailedUnit, persistenceChecks } from './checks/persistence.ts';
import { bluetoothAgain, bluetoothChecks } from './checks/bluetooth.ts';
import { afterPowerCut, powerCut, powerOffChecks, restartsWhenTold } from './checks/power.ts';
import { radioChecks } from './checks/radio.ts';
import { splashAtShutdown, splashChecks, splashDrawing } from './checks/splash.ts';
import { recipeChecks } from './checks/recipe-checks.ts';
import { changeEntry, changeKernel, enforced, entryIgnored, firmwareRefusals, refusal } from './checks/secure-boot.ts';
import { breakEngine, breakKernel, breakNetwork, breakRoot, inSlot, keptIn, refusals, rolledBack, updateFromStick, updateInto } from './checks/update.ts';
import { takesUsb } from './qemu-command.ts';

/** What a board is tried for; each has boots of its own. */
export const suites = ['boot', 'start', 'update', 'config', 'network', 'field', 'damage', 'faults', 'secure-boot'] as const satisfies readonly Suite[];
export type Suite = DeviceSteps['device/boot-test']['suite'];

/** Suites that update the board to the release of its own image. */
export const takesRelease = (suite: Suite): boolean => suite === 'update' || suite === 'damage' || suite === 'secure-boot';

/** One boot of a suite: how it is called, its checks, and what is done with the board afterwards. */
export interface Stage {
  name: string;
  /** Nobody gets in: all that is waited for is that the board restarts by itself. */
  restarts?: true;
  /** Nobody gets in, and the firmware says why on the console. */
  refused?: RegExp;
  checks: readonly BootCheck[];
  finish?: BootCheck;
}

export const checksOf = (stage: Stage): BootCheck[] => [...stage.checks, ...(stage.finish ? [stage.finish] : [])];
export const comesUp = (stage: string): string => `${stage}: the board comes up and lets the configured key in`;
export const isRefused = (stage: string): string => `${stage}: the firmware does not start it`;
export const restarts = (stage: string): string => `${stage}: the board starts anew by itself`;

/** Names of all results of a stage, in order. */
export const named = (stage: Stage): string[] => [stage.refused !== undefined ? isRefused(stage.name) : stage.restarts === true ? restarts(stage.name) : comesUp(stage.name), ...checksOf(stage).map(({ name }) => name)];

/** What some boards can show and others cannot. */
export interface Abilities {
  /** A kernel module was compiled for it. */
  module?: boolean;
  /** It gets virtual radios. */
  radio?: boolean;
  /** It has ModemManager, and a USB port for a modem. */
  modem?: boolean;
  /** Its emulation has a hardware watchdog. */
  watchdog?: boolean;
  /** It has BlueZ, and gets emulated controllers for it. */
  bluetooth?: boolean;
  /** Its emulation has a screen, and its image a picture for it. */
  screen?: boolean;
}

/** Of the emulations only the PC's chipset (q35) comes with a watchdog that works. */
export const hasWatchdog = ({ qemu }: Machine): boolean => qemu?.system === 'x86_64';

/** Images with Wi-Fi, and with a kernel of Debian's: of it there is a module that makes radios of nothing. */
export const hasRadio = ({ kernel }: Machine, recipes: readonly { name: string }[]): boolean => kernel.debian !== undefined && recipes.some(({ name }) => name === 'wifi');

/** Images with ModemManager and the drivers of serial adapters, on boards that get a USB controller of QEMU's. */
export const hasModem = ({ kernel, qemu }: Machine, recipes: readonly { name: string }[]): boolean => kernel.debian !== undefined && qemu !== undefined && takesUsb(qemu) && recipes.some(({ name }) => name === 'modemmanager');

/** Images with BlueZ, on PCs: for their architecture the controllers' program is brought. */
export const hasBluetooth = ({ arch, kernel }: Machine, recipes: readonly { name: string }[]): boolean => arch === 'amd64' && kernel.debian !== undefined && recipes.some(({ name }) => name === 'bluetooth');

/** Images with a picture, on the PC: its firmware gives the kernel a screen, and DRM's driver takes that over. */
export const hasScreen = ({ qemu }: Machine, recipes: readonly { name: string }[]): boolean => qemu?.system === 'x86_64' && recipes.some(({ name }) => name === 'splash');

/** Names of all results of a suite, in order; known before anything runs. */
export const checkNames = (suite: Suite, recipes: readonly RecipeSource[], mode: 'development' | 'production', abilities: Abilities = {}): string[] => stages(suite, recipes, mode, abilities).flatMap(named);

export function stages(suite: Suite, recipes: readonly RecipeSource[], mode: 'development' | 'production', { module = false, radio = false, modem = false, watchdog = false, bluetooth = false, screen = false }: Abilities = {}): Stage[] {
  switch (suite) {
    case 'boot':
      return bootStages(recipes, mode, module);
    case 'start':
      return startStages(recipes, mode, { bluetooth, screen });
    case 'update':
      return updateStages();
    case 'config':
      return configStages();
    case 'network':
      return networkStages(radio, modem);
    case 'field':
      return fieldStages(watchdog);
    case 'damage':
      return damageStages();
    case 'faults':
      return faultStages();
    case 'secure-boot':
      return secureBootStages(recipes, mode);
  }
}

const restart = (stage: string): BootCheck => restartsWhenTold(stage, leaveMarks);

/** What the first start of every board is asked. */
const firstBootChecks = (recipes: readonly RecipeSource[], mode: 'development' | 'production'): BootCheck[] => [...recipeChecks(recipes, mode), ...diskChecks, ...accessChecks, ...networkChecks, ...engineChecks, leavesContainer];

/** What a board and its boot loader have of their own, without what is the same on all boards of an architecture: for emulations that need many minutes. */
function startStages(recipes: readonly RecipeSource[], mode: 'development' | 'production', { bluetooth, screen }: { bluetooth: boolean; screen: boolean }): Stage[] {
  const [first, second] = ['first boot', 'second boot'] as const;
  return [
    { name: first, checks: [...(screen ? splashChecks : []), ...firstBootChecks(recipes, mode), ...(bluetooth ? bluetoothChecks : []), nameOverlays, ...(screen ? [splashDrawing] : [])], finish: restart(first) },
    { name: second, checks: [...(screen ? [splashAtShutdown] : []), ...persistenceChecks(second), ...overlayChecks(second), returningContainer(second), returningLeaver(second), ...(bluetooth ? bluetoothAgain : []), ...powerOffChecks] },
  ];
}

function bootStages(recipes: readonly RecipeSource[], mode: 'development' | 'production', module: boolean): Stage[] {
  const applied = (checks: readonly BootCheck[]): readonly BootCheck[] => (recipes.some(({ name }) => name === 'applications') ? checks : []);
  const [first, second, third] = ['first boot', 'second boot', 'after a power cut'] as const;
  return [
    { name: first, checks: [...firstBootChecks(recipes, mode), ...(module ? kernelModuleChecks : []), ...(mode === 'development' ? dockerChecks : []), ...applied(applicationsChecks), nameOverlays], finish: restart(first) },
    { name: second, checks: [...persistenceChecks(second), ...overlayChecks(second), returningContainer(second), returningLeaver(second), usableImage(second), ...applied([returningApplications(second)])], finish: powerCut },
    { name: third, checks: [...afterPowerCut, ...persistenceChecks(third), ...overlayChecks(third), returningContainer(third), usableImage(third), ...applied([returningApplications(third)]), ...powerOffChecks] },
  ];
}

/** Releases that are written into slot A and made to fail, and what is known of it afterwards. */
const failures = [
  { failure: 'whose kernel panics', spoil: breakKernel('A'), reason: /did not get as far/ },
  { failure: 'whose root cannot be read', spoil: breakRoot('A'), reason: /did not get as far/ },
  { failure: 'without its network', spoil: breakNetwork('A'), reason: /network/ },
  { failure: 'without its engine', spoil: breakEngine('A'), reason: /engine/ },
];

/** Slot B runs each time; each stage but the last writes what fails next. */
function updateStages(): Stage[] {
  const before = 'before the update';
  const running = [
    { name: 'the update', check: (name: string) => keptIn(name, 'B') },
    ...failures.map(({ failure, reason }) => ({ name: `after the release ${failure}`, check: (name: string) => rolledBack(name, 'B', reason) })),
  ];
  return [
    { name: before, checks: [inSlot(before, 'A'), ...refusals], finish: updateFromStick(before, 'B') },
    ...running.flatMap(({ name, check }, index): Stage[] => {
      const checks = [check(name), ...persistenceChecks(name)];
      const next = failures[index];
      if (next === undefined) return [{ name, checks }];
      return [{ name, checks: [...checks, updateInto(name, 'A'), next.spoil], finish: restart(name) }, { name: `a release ${next.failure}`, restarts: true, checks: [] }];
    }),
  ];
}

function configStages(): Stage[] {
  const [whole, half, wrong, none] = ['with a whole config.json', 'with half a config.json', 'with a wrong config.json', 'without a config.json'] as const;
  return [
    { name: whole, checks: [...configChecks, halfAFile], finish: restart(whole) },
    { name: half, checks: [lastGood(half, /not JSON.*the last good copy is used/), wrongValues], finish: restart(half) },
    { name: wrong, checks: [lastGood(wrong, /hostname: not a host name[^]*os\.sshKeys\[0\]: not a public key[^]*colour: unknown key/), noFile], finish: restart(wrong) },
    { name: none, checks: [lastGood(none, /the file is missing: the last good copy is used/)] },
  ];
}

function networkStages(radio: boolean, modem: boolean): Stage[] {
  const [before, after] = ['before the profiles', 'with profiles from the boot partition'] as const;
  return [
    { name: before, checks: [...networkChecks, leaveProfiles(radio, modem)], finish: restart(before) },
    { name: after, checks: [...profileChecks, ...(radio ? radioChecks : []), ...(modem ? cellularChecks : [])] },
  ];
}

function fieldStages(watchdog: boolean): Stage[] {
  const [before, full, torn, empty, after] = ['before the field', 'with full partitions', 'after errors of both file systems', 'after a reset', 'after a hang'] as const;
  const works = (stage: string): BootCheck[] => [loadsImage, runsContainer, publishesPort].map(({ name, run }) => ({ name: `${stage}: ${name}`, run }));
  const last = { name: empty, checks: [...reset(empty), noFailedUnit(empty), ...works(empty)] };
  return [
    { name: before, checks: [...works(before), ...fullDisk], finish: restartsWhenTold(before) },
    { name: full, checks: [...persistenceChecks(full), returningContainer(full), freeRoom, ...diskErrors], finish: restartsWhenTold(full) },
    { name: torn, checks: [repaired(torn), ...persistenceChecks(torn), returningContainer(torn), askForReset], finish: restartsWhenTold(torn) },
    ...(watchdog ? [{ ...last, finish: hang(empty) }, { name: after, checks: [...persistenceChecks(after), returningContainer(after)] }] : [last]),
  ];
}

/** Slot A runs, then its copy in slot B, which is destroyed. */
function damageStages(): Stage[] {
  const [before, repaired, after] = ['before the damage', 'in the slot beside', 'after the damage'] as const;
  return [
    { name: before, checks: [inSlot(before, 'A'), undamaged(before), ...flippedBit(before, 'A'), repair(before, 'B')], finish: restartsWhenTold(before) },
    { name: repaired, checks: [keptIn(repaired, 'B'), undamaged(repaired)], finish: destroyRoot(repaired) },
    { name: 'a root that cannot be read', restarts: true, checks: [] },
    { name: after, checks: [inSlot(after, 'A'), leftSlot(after, 'B'), repair(after, 'B'), undamaged(after)] },
  ];
}

function faultStages(): Stage[] {
  const [before, once, twice, thrice] = ['before the faults', 'after one power cut', 'after two power cuts', 'after three power cuts'] as const;
  const remember: BootCheck = { name: `${before}: marks are left to be found again`, run: leaveMarks };
  const cut = (stage: string, share: number): Stage => ({ name: stage, checks: [...persistenceChecks(stage), returningContainer(stage), storeIsWhole(stage)], finish: cutDuringPull(stage, share) });
  return [
    { name: before, checks: [makeReleases, runFirstRelease, remember], finish: cutDuringPull(before, 0.15) },
    cut(once, 0.5),
    cut(twice, 0.9),
    { name: thrice, checks: [...persistenceChecks(thrice), returningContainer(thrice), storeIsWhole(thrice), finishPull(thrice), runSecondRelease, returningContainer('the second release')] },
  ];
}

/** A firmware without keys gets the image's own, and from then on starts nothing else. */
function secureBootStages(recipes: readonly RecipeSource[], mode: 'development' | 'production'): Stage[] {
  const [first, second, third] = ['with its keys', 'with a changed entry', 'after an update'] as const;
  return [
    { name: 'a firmware without keys', restarts: true, checks: [] },
    { name: first, checks: [enforced(first), inSlot(first, 'A'), ...firstBootChecks(recipes, mode), ...firmwareRefusals, changeEntry('A')], finish: restart(first) },
    { name: second, checks: [enforced(second), entryIgnored('A'), ...persistenceChecks(second), updateInto(second, 'B')], finish: restart(second) },
    { name: third, checks: [enforced(third), keptIn(third, 'B'), ...persistenceChecks(third), changeKernel('B')], finish: restartsWhenTold(third) },
    { name: 'a kernel with one other bit', refused: refusal, checks: [] },
  ];
}
