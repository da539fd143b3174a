import { crc32 } from 'node:zlib';
import { OsbuildError } from '../model/index.ts';

/**
 * An environment file for a U-Boot (CRC-32, then `name=value` texts that end with NUL, filled up to its size): the defaults
 * that the program itself carries, since a file takes their place altogether, but for `set`.
 * @throws OSB_PACKAGE_MISSING when the program carries no defaults that can be found, or too many for the size
 */
export function ubootEnvironment(program: Buffer, set: Readonly<Record<string, string>>, sizeBytes: number, from: string): Buffer {
  const variables = new Map(defaultEnvironment(program, from));
  for (const [name, value] of Object.entries(set)) variables.set(name, value);
  const text = Buffer.from([...variables].map(([name, value]) => `${name}=${value}\0`).join(''), 'latin1');
  const data = Buffer.alloc(sizeBytes - 4);
  if (text.length + 1 > data.length) throw unusable(from, `its environment takes ${text.length} bytes, more than the ${sizeBytes} of boot.environment.sizeBytes`);
  text.copy(data);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(data));
  return Buffer.concat([sum, data]);
}

/** Texts in a row that end with an empty one; `bootcmd` and `bootdelay` stand at the beginning (U-Boot's include/env_default.h). */
function defaultEnvironment(program: Buffer, from: string): Array<[string, string]> {
  const mark = program.indexOf('\0bootdelay=', 0, 'latin1');
  if (mark < 0 || program.indexOf('\0bootdelay=', mark + 1, 'latin1') >= 0) throw unusable(from, 'there is no single default environment in it');
  let begin = mark;
  // Backwards over the texts before it, to the first that is none of the environment's.
  for (;;) {
    const before = program.lastIndexOf(0, begin - 1);
    if (!/^\w+=[ -~]*$/.test(program.toString('latin1', before + 1, begin))) break;
    begin = before;
  }
  const end = program.indexOf('\0\0', mark, 'latin1');
  const variables = program.toString('latin1', begin + 1, end).split('\0').map((text): [string, string] => {
    const equals = text.indexOf('=');
    return [text.slice(0, equals), text.slice(equals + 1)];
  });
  const names = variables.map(([name]) => name);
  if (end < 0 || !names.includes('bootcmd') || variables.some(([name]) => !/^[\w#.]+$/.test(name))) throw unusable(from, 'its default environment cannot be read');
  return variables;
}

function unusable(from: string, why: string): OsbuildError {
  return new OsbuildError('OSB_PACKAGE_MISSING', `An environment cannot be made for ${from}: ${why}.`, { hint: 'Leave boot.environment out of the machine file, or put it right.' });
}
