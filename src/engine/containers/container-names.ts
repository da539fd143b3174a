import { DEFAULT_BRIDGE_ID, resolvConfServers, type NameScope } from '../network/index.ts';
import type { Container } from './collection.ts';
import type { ContainerContext } from './context.ts';
import { parseLinkText } from './endpoint-request.ts';
import { isLive, type Attachment, type ContainerRecord } from './record.ts';

/** The names that a container has on a network, beside '<name>.<network>'. */
export function namesOf(record: ContainerRecord, attachment: Attachment): string[] {
  const names = [record.name, ...attachment.aliases, record.id.slice(0, 12), ...(record.config.Hostname === '' ? [] : [record.config.Hostname])];
  return [...new Set(names.map((name) => name.toLowerCase()))];
}

function addressesOf({ address, address6 }: Attachment): string[] {
  return address6 === undefined ? [address] : [address, address6];
}

/** Addresses of a container that one of the attachments links to under this name. */
function linked({ collection }: ContainerContext, attachments: readonly Attachment[], name: string): string[] {
  return attachments.flatMap(({ links = [], networkId }) =>
    links.map(parseLinkText).filter(({ alias }) => alias.toLowerCase() === name).flatMap(({ container }) => {
      const target = collection.all().find(({ id, record }) => record.name === container || id.startsWith(container))?.record;
      if (target === undefined || !isLive(target.state)) return [];
      return target.attachments.filter((theirs) => theirs.networkId === networkId && theirs.address !== '').flatMap(addressesOf);
    }),
  );
}

/** What a container's name server knows: the running containers of its user-defined networks. Asked anew for every query. */
export function nameScope(context: ContainerContext, { record }: Container): NameScope {
  const mine = (): Attachment[] => record.attachments.filter(({ networkId }) => networkId !== DEFAULT_BRIDGE_ID);
  const members = function* (): Generator<{ other: ContainerRecord; theirs: Attachment; network: string }> {
    for (const { networkId } of mine()) {
      const network = context.networks.byId(networkId)?.record.name ?? '';
      for (const { record: other } of context.collection.all()) {
        if (!isLive(other.state) && other !== record) continue;
        for (const theirs of other.attachments) if (theirs.networkId === networkId && theirs.address !== '') yield { other, theirs, network };
      }
    }
  };
  return {
    addresses(name) {
      const found = new Set<string>(linked(context, mine(), name));
      for (const { other, theirs, network } of members()) {
        const suffix = `.${network.toLowerCase()}`;
        const names = namesOf(other, theirs);
        if (names.includes(name) || (name.endsWith(suffix) && names.includes(name.slice(0, -suffix.length)))) for (const address of addressesOf(theirs)) found.add(address);
      }
      return [...found];
    },
    name(address) {
      for (const { other, theirs, network } of members()) if (addressesOf(theirs).includes(address)) return `${other.name}.${network}`;
      return undefined;
    },
    servers() {
      const internal = record.attachments.every(({ networkId }) => context.networks.byId(networkId)?.bridge.options.internal !== false);
      if (internal) return [];
      if (record.hostConfig.Dns.length > 0) return record.hostConfig.Dns;
      if (context.dns.servers.length > 0) return [...context.dns.servers];
      // Read each time: a device changes its networks. From the host its loopback servers can be asked too.
      const { files } = context.system;
      return files.exists('/etc/resolv.conf') ? resolvConfServers(files.readText('/etc/resolv.conf')) : [];
    },
  };
}

export function openNames(context: ContainerContext, container: Container, pid: number): Promise<void> {
  return context.nameServers.open(container.id, pid, nameScope(context, container));
}

export function closeNames(context: ContainerContext, id: string): void {
  context.nameServers.close(id);
}
