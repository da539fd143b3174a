import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { leftovers, type Lab } from './lab.ts';

const CGROUPS = '/sys/fs/cgroup';

/** What is left of containers with these ids once they are gone: all of `leftovers`, and cgroups, processes, and network namespaces that only the daemon still holds. */
export function remains(lab: Lab, ids: readonly string[]): string[] {
  return [...leftovers(lab), ...cgroupsOf(ids), ...processesOf(lab, ids), ...heldNamespaces(lab)];
}

function folders(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

function cgroupsOf(ids: readonly string[]): string[] {
  const places = [CGROUPS, ...folders(CGROUPS).map((name) => `${CGROUPS}/${name}`)];
  return places.flatMap((place) => folders(`${place}/minke`).filter((name) => ids.includes(name)).map((name) => `cgroup ${place}/minke/${name}`));
}

/** Helper programs that have the lab's folder or one of the ids on their command line; the daemon itself and clients are not meant. */
function processesOf(lab: Lab, ids: readonly string[]): string[] {
  return folders('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== lab.daemonPid() && Number(name) !== process.pid).flatMap((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const ours = words.includes(`${lab.folder}/gates`) || words.includes(lab.execRoot) || ids.some((id) => words.includes(id));
      return ours && !words.includes(' daemon ') ? [`process ${pid}: ${words.slice(0, 200)}`] : [];
    } catch {
      return [];
    }
  });
}

/** A namespace lives as long as somebody has it open, also without a process in it. */
function heldNamespaces(lab: Lab): string[] {
  const folder = `/proc/${lab.daemonPid()}/fd`;
  const own = readlinkSync(`/proc/${lab.daemonPid()}/ns/net`);
  return readdirSync(folder).flatMap((fd) => {
    try {
      const target = readlinkSync(`${folder}/${fd}`);
      return target.startsWith('net:[') && target !== own ? [`the daemon holds ${target}`] : [];
    } catch {
      return [];
    }
  });
}
