import { EngineError } from '../error.ts';
import { DEFAULT_BRIDGE_ID } from '../network/index.ts';
import type { ContainerContext } from './context.ts';
import { parseLinkText } from './endpoint-request.ts';
import type { ContainerRecord } from './record.ts';

/** Takes a link away by its name 'container/alias'; both containers stay. Throws 'not-found'. */
export async function removeLink({ collection }: ContainerContext, name: string): Promise<void> {
  const [owner = '', alias = ''] = name.replace(/^\//, '').split('/');
  if (alias === '') throw new EngineError('invalid', 'LINK_NAME', `Conflict, cannot remove the default link name of the container: ${name}`);
  const container = collection.find(owner);
  await container.queue(async () => {
    const { hostConfig } = container.record;
    const left = hostConfig.Links?.filter((text) => parseLinkText(text).alias !== alias) ?? [];
    if (left.length === (hostConfig.Links?.length ?? 0)) throw new EngineError('not-found', 'LINK_UNKNOWN', `No such link: ${name}`);
    hostConfig.Links = left.length === 0 ? null : left;
    await collection.save(container);
  });
}

/**
 * The variables by which programs of old find the containers they are linked to: DB_NAME, DB_PORT_5432_TCP_ADDR, DB_ENV_<theirs>.
 * On the default bridge alone, as with Docker.
 */
export function linkVariables({ collection }: ContainerContext, { name, hostConfig, attachments }: ContainerRecord): string[] {
  if (attachments.every(({ networkId }) => networkId !== DEFAULT_BRIDGE_ID)) return [];
  return (hostConfig.Links ?? []).flatMap((text) => {
    const { container, alias } = parseLinkText(text);
    // Whoever is gone is missed where the container starts; an exec later goes without.
    const target = collection.all().find(({ id, record }) => record.name === container || id.startsWith(container))?.record;
    if (target === undefined) return [];
    const { config, attachments: theirs } = target;
    const address = theirs.find(({ networkId }) => networkId === DEFAULT_BRIDGE_ID)?.address ?? '';
    const prefix = alias.replaceAll('-', '_').toUpperCase();
    const ports = Object.keys(config.ExposedPorts ?? {}).map((port) => {
      const [number = '', protocol = 'tcp'] = port.split('/');
      return { number, protocol, url: `${protocol}://${address}:${number}` };
    }).toSorted((a, b) => Number(a.number) - Number(b.number));
    return [
      ...ports.slice(0, 1).map(({ url }) => `${prefix}_PORT=${url}`),
      ...ports.flatMap(({ number, protocol, url }) => {
        const key = `${prefix}_PORT_${number}_${protocol.toUpperCase()}`;
        return [`${key}=${url}`, `${key}_ADDR=${address}`, `${key}_PORT=${number}`, `${key}_PROTO=${protocol}`];
      }),
      `${prefix}_NAME=/${name}/${alias}`,
      ...config.Env.filter((variable) => variable.includes('=') && !/^(HOME|PATH)=/.test(variable)).map((variable) => `${prefix}_ENV_${variable}`),
    ];
  });
}
