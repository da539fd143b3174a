import type { ChildProcess } from 'node:child_process';
import { openFaultProxy, type FaultProxy } from './fault-proxy.ts';
import type { Lab } from './lab.ts';
import { openRegistry, type TestRegistry } from './registry.ts';

/** Of a registry that has a port of the lab's loopback and lives in this process. */
const FORWARDER = `const [,socket,port]=process.argv;require('net').createServer(c=>{const u=require('net').connect(socket);
c.pipe(u).pipe(c);for(const[a,b]of[[c,u],[u,c]])a.on('error',()=>b.destroy()).on('close',()=>b.destroy())}).listen(port,'127.0.0.1',()=>console.log('up'))`;

type Options = Parameters<typeof openRegistry>[0];

/** A registry on 127.0.0.1:port inside the lab. It answers from this process, which must not stand still meanwhile. */
export async function serveRegistry(lab: Lab, port: number, options: Options = {}): Promise<TestRegistry> {
  const socket = socketOf(lab, port);
  const registry = await openRegistry({ ...options, socket, publicAddress: `127.0.0.1:${port}` });
  return withEnd(registry, await forward(lab, port, socket), {});
}

/** The same behind a proxy that spoils what goes through it. */
export async function serveFaultyRegistry(lab: Lab, port: number, options: Options = {}): Promise<TestRegistry & { proxy: FaultProxy }> {
  const registry = await openRegistry({ ...options, socket: socketOf(lab, port), publicAddress: `127.0.0.1:${port}` });
  const socket = `${lab.folder}/proxy-${port}.sock`;
  const proxy = await openFaultProxy(socket, socketOf(lab, port));
  const end = await forward(lab, port, socket);
  return withEnd(registry, () => {
    end();
    proxy.close();
  }, { proxy });
}

function socketOf(lab: Lab, port: number): string {
  return `${lab.folder}/registry-${port}.sock`;
}

/** Makes a port of the lab's loopback of a unix socket. */
export async function forward(lab: Lab, port: number, socket: string): Promise<() => void> {
  const forwarder: ChildProcess = lab.spawn(['node', '-e', FORWARDER, socket, String(port)]);
  await new Promise((resolve) => forwarder.stdout?.once('data', resolve));
  return () => void forwarder.kill('SIGKILL');
}

function withEnd<T extends object>(registry: TestRegistry, end: () => void, more: T): TestRegistry & T {
  return {
    ...registry,
    ...more,
    get fault() {
      return registry.fault;
    },
    set fault(fault) {
      registry.fault = fault;
    },
    async close() {
      end();
      await registry.close();
    },
  };
}
