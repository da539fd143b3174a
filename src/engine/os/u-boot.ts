import type { Files } from '../ports/index.ts';
import type { BootLoader } from './boot-loader.ts';
import type { BootPartition } from './boot-partition.ts';
import { formatVerity, verityParameter } from '../verity/index.ts';
import { isSlot, type Slot } from './slots.ts';
import { ubootVariables } from './u-boot-variables.ts';

const KEPT = 'minke/slot.env';
const TRY = 'minke/try.env';
const verityFile = (slot: Slot): string => `${slot}/verity.env`;

/**
 * U-Boot with our boot.scr (src/image/uboot-script.ts): minke/slot.env names the slot that is kept, minke/try.env the one that is tried once. The script
 * writes `tries=0` over `tries=1` before it starts that one: as many bytes as stood there, in the same sector. verity.env of a slot's folder has the parameters of
 * its hash tree; a slot that must not be started has none, so that the initrd never takes it for one to go back to (recipes/initrd, lib/fallback.sh).
 */
export function uboot(files: Files, boot: BootPartition): BootLoader {
  const variables = (name: string): ReadonlyMap<string, string> => ubootVariables(files, `${boot.path}/${name}`);
  const dropTry = (): void => {
    if (files.exists(`${boot.path}/${TRY}`)) files.unlink(`${boot.path}/${TRY}`);
  };
  const dropVerity = (slot: Slot): void => {
    if (files.exists(`${boot.path}/${verityFile(slot)}`)) files.unlink(`${boot.path}/${verityFile(slot)}`);
  };
  const kept = (): Slot => {
    const slot = variables(KEPT).get('slot');
    return isSlot(slot) ? slot : 'A';
  };
  return {
    read() {
      const tried = variables(TRY);
      const slot = tried.get('try');
      if (!isSlot(slot)) return { kept: kept() };
      return tried.get('tries') === '1' ? { kept: kept(), next: slot } : { kept: kept(), tried: slot };
    },
    tryNext: (slot, { slot: { verity } }) =>
      boot.writing(async () => {
        if (verity === undefined) dropVerity(slot);
        else await boot.put(verityFile(slot), `os_verity=${verityParameter}=${formatVerity(verity)}\n`);
        await boot.put(TRY, `tries=1\ntry=${slot}\n\0`);
      }),
    keep: (slot) =>
      boot.writing(async () => {
        if (kept() !== slot) await boot.put(KEPT, `slot=${slot}\n`);
        dropTry();
      }),
    forget: (slot) =>
      boot.writing(async () => {
        if (variables(TRY).get('try') === slot) dropTry();
        dropVerity(slot);
      }),
  };
}
