// Purpose: which command line of a slot's unified kernel the boot loader asks for.
// Owns: the numbers of the profiles, and what tells them apart.
// Must not: import anything or touch files: the builder writes the same numbers into the kernel and a new image's entry (src/secure-boot, src/image).

/** What an entry of the boot loader starts: a slot, and whether it is being tried. */
export interface Profile {
  slot: 'A' | 'B';
  trial: boolean;
}

/** In the order in which a unified kernel has them: the same kernel is signed for either slot, and for its trial. */
export const profiles: readonly Profile[] = [
  { slot: 'A', trial: false },
  { slot: 'B', trial: false },
  { slot: 'A', trial: true },
  { slot: 'B', trial: true },
];

/** Options of an entry by which systemd-stub takes that profile. With nothing behind them the command line is the signed one, with Secure Boot and without. */
export const profileOption = ({ slot, trial }: Profile): string => `@${profiles.findIndex((one) => one.slot === slot && one.trial === trial)}`;

/** Options of the same slot's entry that is kept; anything else stays as it is. */
export function keptOption(options: string): string {
  const tried = profiles.find((profile) => profile.trial && profileOption(profile) === options.trim());
  return tried === undefined ? options : profileOption({ slot: tried.slot, trial: false });
}

/** Of a signed command line: the initrd starts no root but the one whose hash stands beside it (recipes/initrd, lib/fallback.sh). */
export const strictParameter = 'minke.strict';
