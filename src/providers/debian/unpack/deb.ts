import type { LockedPackage, StepContext, StepKind } from '../../../model/index.ts';
import { readTar, type TarMember } from '../tar/index.ts';

/** Control information of one package, kept for the checks and the manifest. */
export interface PackageControl {
  name: string;
  version: string;
  architecture: string;
  /** Fields of the control file by name, as written. */
  fields: Record<string, string>;
  /** Maintainer scripts by name (preinst, postinst, prerm, postrm, config). */
  scripts: Record<string, string>;
  triggers: string;
}

type HostStream = Pick<StepContext<StepKind>, 'hostStream'>;

/** Streams the files of a .deb in the order of its archive. */
export async function* readDebFiles(context: HostStream, deb: string): AsyncGenerator<TarMember> {
  const { stdout, done } = context.hostStream(['dpkg-deb', '--fsys-tarfile', deb]);
  yield* readTar(stdout as AsyncIterable<Buffer>);
  await done;
}

const scriptNames = ['preinst', 'postinst', 'prerm', 'postrm', 'config'];
const controlLimitBytes = 4 << 20;

/** Reads the control archive of a .deb. */
export async function readDebControl(context: HostStream, deb: string, locked: LockedPackage): Promise<PackageControl> {
  const { stdout, done } = context.hostStream(['dpkg-deb', '--ctrl-tarfile', deb]);
  const files = new Map<string, string>();
  for await (const member of readTar(stdout as AsyncIterable<Buffer>)) {
    if (member.entry.type !== 'file' || ![...scriptNames, 'control', 'triggers'].includes(member.entry.path)) continue;
    files.set(member.entry.path, (await readAll(member, controlLimitBytes)).toString('utf8'));
  }
  await done;
  const scripts = Object.fromEntries(scriptNames.flatMap((name) => (files.has(name) ? [[name, files.get(name) ?? '']] : [])));
  return {
    name: locked.name,
    version: locked.version,
    architecture: locked.architecture,
    fields: parseControl(files.get('control') ?? ''),
    scripts,
    triggers: files.get('triggers') ?? '',
  };
}

/** Data of a member, which must not be larger than `limitBytes`. */
export async function readAll(member: TarMember, limitBytes: number): Promise<Buffer> {
  if (member.entry.sizeBytes > limitBytes) throw new Error(`${member.entry.path} is unexpectedly large: ${member.entry.sizeBytes} bytes`);
  const pieces: Buffer[] = [];
  for await (const piece of member.data()) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** First stanza of a deb822 file. */
export function parseControl(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  let name = '';
  for (const line of text.split('\n')) {
    if (line === '') break;
    if (/^[ \t]/.test(line)) fields[name] = `${fields[name] ?? ''}\n${line}`;
    else {
      const colon = line.indexOf(':');
      name = line.slice(0, colon);
      fields[name] = line.slice(colon + 1).trim();
    }
  }
  return fields;
}
