/** What the loader of a program or library looks for: names of the libraries, and the path of the loader itself. */
export interface ElfNeeds {
  libraries: string[];
  interpreter: string | null;
}

const programLoad = 1;
const programDynamic = 2;
const programInterpreter = 3;
const tagNeeded = 1;
const tagStrings = 5;

/**
 * Reads DT_NEEDED and PT_INTERP of a little-endian ELF file, 32 or 64 bits (System V ABI, chapters 4 and 5).
 * Null for anything that is not one, such as a script.
 */
export function elfNeeds(file: Buffer): ElfNeeds | null {
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46 || file[5] !== 1) return null;
  const wide = file[4] === 2;
  const word = (at: number): number => (wide ? Number(file.readBigUInt64LE(at)) : file.readUInt32LE(at));
  const headersAt = word(wide ? 32 : 28);
  const headerBytes = file.readUInt16LE(wide ? 54 : 42);
  const headers = Array.from({ length: file.readUInt16LE(wide ? 56 : 44) }, (_, index) => {
    const at = headersAt + index * headerBytes;
    return {
      type: file.readUInt32LE(at),
      offset: word(at + (wide ? 8 : 4)),
      address: word(at + (wide ? 16 : 8)),
      sizeBytes: word(at + (wide ? 32 : 16)),
    };
  });
  const textAt = (at: number): string => file.toString('latin1', at, file.indexOf(0, at));
  const fileOffset = (address: number): number => {
    const segment = headers.find(({ type, address: start, sizeBytes }) => type === programLoad && address >= start && address < start + sizeBytes);
    return segment === undefined ? 0 : address - segment.address + segment.offset;
  };
  const interpreter = headers.find(({ type }) => type === programInterpreter);
  const dynamic = headers.find(({ type }) => type === programDynamic);
  const needed: number[] = [];
  let strings = 0;
  const pairBytes = wide ? 16 : 8;
  const dynamicEnd = dynamic === undefined ? 0 : dynamic.offset + dynamic.sizeBytes;
  for (let at = dynamic?.offset ?? 0; at < dynamicEnd; at += pairBytes) {
    const tag = word(at);
    const value = word(at + pairBytes / 2);
    if (tag === 0) break;
    if (tag === tagNeeded) needed.push(value);
    if (tag === tagStrings) strings = fileOffset(value);
  }
  return {
    libraries: needed.map((offset) => textAt(strings + offset)),
    interpreter: interpreter === undefined ? null : textAt(interpreter.offset),
  };
}
