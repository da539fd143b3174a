import type { Field } from './field.ts';
import { canonical, type Resource } from './project.ts';
import { pathOf, type SharedFile, type Surroundings } from './surroundings.ts';

/** Networks and volumes: a name of their own, or somebody else's. */
function readResource(key: string, field: Field, project: string, surroundings: Surroundings, body: Record<string, unknown>): Resource {
  const outside = field.get('external');
  const external = outside !== undefined && (outside.isMap || outside.flag() === true);
  const name = (outside?.isMap === true ? outside.get('name')?.text() : undefined) ?? field.get('name')?.text() ?? (external ? key : `${project}_${key}`);
  const labels = field.get('labels')?.labels() ?? {};
  return { key, name, external, body, labels, hash: surroundings.hash(canonical([name, body, labels])) };
}

export function readNetwork(key: string, field: Field, project: string, surroundings: Surroundings): Resource {
  field.only('name', 'external', 'driver', 'driver_opts', 'ipam', 'internal', 'attachable', 'enable_ipv4', 'enable_ipv6', 'labels');
  const driver = field.get('driver')?.text() ?? 'bridge';
  if (driver !== 'bridge') field.get('driver')?.fail(`the engine has no networks of the driver ${driver}: bridge is the one there is`);
  const ipam = field.get('ipam')?.only('driver', 'config', 'options');
  const config = (ipam?.get('config')?.items() ?? []).map((item) => {
    item.only('subnet', 'ip_range', 'gateway', 'aux_addresses');
    return { Subnet: item.get('subnet')?.text(), IPRange: item.get('ip_range')?.text(), Gateway: item.get('gateway')?.text(), AuxiliaryAddresses: item.get('aux_addresses')?.labels() };
  });
  return readResource(key, field, project, surroundings, {
    Driver: driver, Internal: field.get('internal')?.flag() ?? false, Attachable: field.get('attachable')?.flag() ?? false, EnableIPv6: field.get('enable_ipv6')?.flag() ?? false,
    Options: field.get('driver_opts')?.labels() ?? {}, IPAM: { Driver: ipam?.get('driver')?.text() ?? 'default', Options: ipam?.get('options')?.labels() ?? null, Config: config },
  });
}

export function readVolume(key: string, field: Field, project: string, surroundings: Surroundings): Resource {
  field.only('name', 'external', 'driver', 'driver_opts', 'labels');
  return readResource(key, field, project, surroundings, { Driver: field.get('driver')?.text() ?? 'local', DriverOpts: field.get('driver_opts')?.labels() ?? {} });
}

/** A config or secret: a file, or a text that becomes one. */
export function readSharedFile(field: Field, surroundings: Surroundings, contents: Record<string, string>, variable: (name: string) => string | undefined): SharedFile | undefined {
  field.only('file', 'content', 'environment', 'name', 'external', 'labels', 'driver', 'driver_opts', 'template_driver');
  if (field.get('external')?.flag() === true) return field.get('external')?.fail('those of swarm mode are not there: use file');
  const file = field.get('file');
  if (file !== undefined) {
    const path = pathOf(file, file.text() ?? '', surroundings.folder);
    const hash = path === undefined ? undefined : file.attempt(() => surroundings.hashFile(path));
    return path === undefined || hash === undefined ? file.fail(`there is no file ${path}`) : { path, hash };
  }
  const name = field.get('environment')?.text();
  const content = name === undefined ? field.get('content')?.text() : variable(name);
  if (content === undefined) return field.fail(name === undefined ? 'has to name a file' : `the variable ${name} is not set`);
  const hash = surroundings.hash(content);
  const path = `${surroundings.contents}/${hash}`;
  contents[path] = content;
  return { path, hash };
}
