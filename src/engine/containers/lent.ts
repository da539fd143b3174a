import type { Container } from './collection.ts';
import { bundleFolder, type ContainerContext } from './context.ts';
import type { ContainerRecord } from './record.ts';

const FILE = 'lent.json';

type Lent = Pick<ContainerRecord, 'attachments'> & Pick<ContainerRecord['endpoint'], 'ports'>;

function noteOf(context: ContainerContext, id: string): string {
  return `${bundleFolder(context, id)}/${FILE}`;
}

/** Addresses and ports of a container that is about to run: its record is made durable only when it does, and a daemon that is killed between the two has to know them. */
export function noteLent(context: ContainerContext, { id, record }: Container): void {
  const lent: Lent = { attachments: record.attachments, ports: record.endpoint.ports };
  context.system.files.writeText(noteOf(context, id), JSON.stringify(lent), 0o600);
}

/** Completes the record of a container that runs although the record says it does not. */
export function readLent(context: ContainerContext, { id, record }: Container): void {
  const { files } = context.system;
  if (!files.exists(noteOf(context, id))) return;
  const { attachments, ports } = JSON.parse(files.readText(noteOf(context, id))) as Lent;
  record.attachments = attachments;
  record.endpoint.ports = ports;
}
