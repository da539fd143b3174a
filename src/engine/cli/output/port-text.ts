export interface ContainerPort {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

function order(a: ContainerPort, b: ContainerPort): number {
  const text = (left = '', right = '') => (left < right ? -1 : left > right ? 1 : 0);
  return a.PrivatePort - b.PrivatePort || text(a.IP, b.IP) || (a.PublicPort ?? 0) - (b.PublicPort ?? 0) || text(a.Type, b.Type);
}

function hostPort(ip: string, port: string | number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

interface PortRun {
  readonly ip: string;
  readonly type: string;
  readonly first: number;
  last: number;
}

function runText(run: PortRun): string {
  const range = run.first === run.last ? String(run.first) : `${run.first}-${run.last}`;
  return `${run.ip === '' ? range : `${hostPort(run.ip, range)}->${range}`}/${run.type}`;
}

/** The PORTS column: neighbouring ports of one address are drawn together, ports published under another number come last. */
export function portText(ports: readonly ContainerPort[]): string {
  const open = new Map<string, PortRun>();
  const closed: string[] = [];
  const renumbered: string[] = [];
  for (const port of [...ports].sort(order)) {
    const ip = port.IP ?? '';
    const type = port.Type;
    if (ip !== '' && port.PublicPort !== port.PrivatePort) {
      renumbered.push(`${hostPort(ip, port.PublicPort ?? 0)}->${port.PrivatePort}/${type}`);
      continue;
    }
    const key = `${ip}/${type}`;
    const run = open.get(key);
    if (run && port.PrivatePort === run.last + 1) {
      run.last = port.PrivatePort;
      continue;
    }
    if (run) closed.push(runText(run));
    open.set(key, { ip, type, first: port.PrivatePort, last: port.PrivatePort });
  }
  return [...closed, ...[...open.values()].map(runText), ...renumbered].join(', ');
}
