import type { ContainerContext, ContainerRecord } from '../containers/index.ts';

/** Values of one filter are alternatives (labels: all of them), filters add up. */
export function matchesContainer(context: ContainerContext, record: ContainerRecord, filters: ReadonlyMap<string, readonly string[]>): boolean {
  for (const [name, values] of filters) {
    const fits = name === 'label' ? values.every((value) => hasLabel(record, value)) : values.some((value) => matchesOne(context, record, name, value));
    if (!fits) return false;
  }
  return true;
}

function hasLabel({ config }: ContainerRecord, wanted: string): boolean {
  const equals = wanted.indexOf('=');
  const key = equals < 0 ? wanted : wanted.slice(0, equals);
  return config.Labels[key] !== undefined && (equals < 0 || config.Labels[key] === wanted.slice(equals + 1));
}

function matchesOne(context: ContainerContext, record: ContainerRecord, name: string, value: string): boolean {
  const port = value.includes('/') ? value : `${value}/tcp`;
  switch (name) {
    case 'id':
      return record.id.startsWith(value);
    case 'name':
      return matchesName(`/${record.name}`, value);
    case 'status':
      return record.state.status === value;
    case 'exited':
      return record.state.status === 'exited' && String(record.state.exitCode) === value;
    case 'ancestor': {
      const image = context.images.find(value);
      return record.imageName === value || (image !== undefined && (image.id === record.imageId || image.diffIds.every((diffId, index) => record.diffIds[index] === diffId)));
    }
    case 'before':
      return record.created < context.collection.find(value).record.created;
    case 'since':
      return record.created > context.collection.find(value).record.created;
    case 'volume':
      return record.mounts.some((mount) => mount.name === value || mount.destination === value || mount.source === value);
    case 'network':
      return record.endpoint.network === value || record.attachments.some(({ networkId }) => networkId.startsWith(value) || context.networks.byId(networkId)?.record.name === value);
    case 'publish':
      return record.endpoint.ports.some(({ hostPort, protocol }) => `${hostPort}/${protocol}` === port);
    case 'expose':
      return record.config.ExposedPorts?.[port] !== undefined;
    case 'health':
      return (record.state.health?.status ?? 'none') === value;
    case 'is-task':
      return value === 'false' || value === '0';
    case 'isolation':
      return value === '' || value === 'default';
    default:
      return false;
  }
}

/** Docker takes it for a regular expression over the name with its slash. */
function matchesName(name: string, pattern: string): boolean {
  try {
    return new RegExp(pattern).test(name) || new RegExp(pattern).test(name.slice(1));
  } catch {
    return name.includes(pattern);
  }
}
