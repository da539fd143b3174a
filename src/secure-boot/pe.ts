/** EFI programs: PE32+ files (Microsoft's PE format specification). */

export interface PeSection {
  name: string;
  virtualSize: number;
  virtualAddress: number;
  rawBytes: number;
  rawOffset: number;
}

/** Where things stand in a file, in bytes from its beginning. */
export interface Pe {
  sections: PeSection[];
  sectionAlignment: number;
  fileAlignment: number;
  headerBytes: number;
  checksumAt: number;
  /** Of the directory's entry for signatures: their place and length. */
  signaturesAt: number;
  sectionCountAt: number;
  imageBytesAt: number;
  initializedBytesAt: number;
  sectionTableAt: number;
}

const sectionHeaderBytes = 40;
const signatureDirectory = 4;

/** @throws RangeError for what is no PE32+ program */
export function readPe(file: Buffer): Pe {
  if (file.length < 0x40 || file.toString('latin1', 0, 2) !== 'MZ') throw new RangeError('no EFI program: it does not begin with MZ');
  const at = file.readUInt32LE(0x3c);
  if (at + 24 + 240 > file.length || file.toString('latin1', at, at + 4) !== 'PE\0\0' || file.readUInt16LE(at + 24) !== 0x20b) throw new RangeError('no EFI program of 64 bits');
  const optional = at + 24;
  if (file.readUInt32LE(optional + 108) <= signatureDirectory) throw new RangeError('an EFI program that has no place for a signature');
  const sectionTableAt = optional + file.readUInt16LE(at + 20);
  const count = file.readUInt16LE(at + 6);
  if (sectionTableAt + count * sectionHeaderBytes > file.length) throw new RangeError('an EFI program that is cut off');
  const sections = Array.from({ length: count }, (_, index): PeSection => {
    const header = sectionTableAt + index * sectionHeaderBytes;
    const [virtualSize = 0, virtualAddress = 0, rawBytes = 0, rawOffset = 0] = [8, 12, 16, 20].map((offset) => file.readUInt32LE(header + offset));
    return { name: file.toString('latin1', header, header + 8).replace(/\0+$/, ''), virtualSize, virtualAddress, rawBytes, rawOffset };
  });
  if (sections.some(({ rawBytes, rawOffset }) => rawOffset + rawBytes > file.length)) throw new RangeError('an EFI program that is cut off');
  return {
    sections,
    sectionAlignment: file.readUInt32LE(optional + 32),
    fileAlignment: file.readUInt32LE(optional + 36),
    headerBytes: file.readUInt32LE(optional + 60),
    checksumAt: optional + 64,
    signaturesAt: optional + 112 + signatureDirectory * 8,
    sectionCountAt: at + 6,
    imageBytesAt: optional + 56,
    initializedBytesAt: optional + 8,
    sectionTableAt,
  };
}

/** The content of the first section of that name. */
export function sectionContent(file: Buffer, name: string): Buffer | undefined {
  const section = readPe(file).sections.find((one) => one.name === name);
  return section && file.subarray(section.rawOffset, section.rawOffset + Math.min(section.virtualSize, section.rawBytes));
}

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ */
const readOnlyData = 0x4000_0040;

/**
 * A program with sections of data behind those that it has, by the rules of ukify (systemd): each at the next multiple of the alignment, in memory and in the file.
 * A signature goes, since it would not be right any more. @throws RangeError when the headers have no room for them
 */
export function addSections(program: Buffer, added: ReadonlyArray<{ name: string; content: Buffer }>): Buffer {
  const file = withoutSignatures(program);
  const pe = readPe(file);
  const tableEnd = pe.sectionTableAt + (pe.sections.length + added.length) * sectionHeaderBytes;
  if (tableEnd > pe.headerBytes) throw new RangeError(`the program has room for ${Math.floor((pe.headerBytes - pe.sectionTableAt) / sectionHeaderBytes)} sections, and ${pe.sections.length + added.length} are wanted`);
  const head = Buffer.from(file);
  const parts: Buffer[] = [head];
  let rawOffset = roundUp(file.length, pe.fileAlignment);
  parts.push(Buffer.alloc(rawOffset - file.length));
  let address = Math.max(...pe.sections.map(({ virtualAddress, virtualSize }) => virtualAddress + virtualSize));
  let dataBytes = head.readUInt32LE(pe.initializedBytesAt);
  for (const [index, { name, content }] of added.entries()) {
    if (name.length > 8) throw new RangeError(`${name} is longer than the name of a section`);
    address = roundUp(address, pe.sectionAlignment);
    const rawBytes = roundUp(content.length, pe.fileAlignment);
    const header = pe.sectionTableAt + (pe.sections.length + index) * sectionHeaderBytes;
    head.fill(0, header, header + sectionHeaderBytes).write(name, header, 'latin1');
    for (const [offset, value] of [[8, content.length], [12, address], [16, rawBytes], [20, rawOffset], [36, readOnlyData]] as const) head.writeUInt32LE(value, header + offset);
    parts.push(content, Buffer.alloc(rawBytes - content.length));
    rawOffset += rawBytes;
    address += content.length;
    dataBytes += rawBytes;
  }
  head.writeUInt16LE(pe.sections.length + added.length, pe.sectionCountAt);
  head.writeUInt32LE(roundUp(address, pe.sectionAlignment), pe.imageBytesAt);
  head.writeUInt32LE(dataBytes, pe.initializedBytesAt);
  head.writeUInt32LE(0, pe.checksumAt);
  return Buffer.concat(parts);
}

/** The program as it was before it was signed. */
export function withoutSignatures(file: Buffer): Buffer {
  const { signaturesAt } = readPe(file);
  const [offset, bytes] = [file.readUInt32LE(signaturesAt), file.readUInt32LE(signaturesAt + 4)];
  if (bytes === 0) return file;
  if (offset + bytes !== file.length) throw new RangeError('the signature of the program does not stand at its end');
  const bare = Buffer.from(file.subarray(0, offset));
  bare.fill(0, signaturesAt, signaturesAt + 8);
  return bare;
}
