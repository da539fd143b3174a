import type { ChildProcess } from 'node:child_process';
import type { Lab } from './lab.ts';
import { openRegistry, type TestRegistry } from './registry.ts';

/** Of a registry that has a port of the lab's loopback and lives in this process. */
const FORWARDER = `const [,socket,port]=process.argv;require('net').createServer(c=>{const u=require('net').connect(socket);
c.pipe(u).pipe(c);for(const[a,b]of[[c,u],[u,c]])a.on('error',()=>b.destroy()).on('close',()=>b.destroy())}).listen(port,'127.0.0.1',()=>console.log('up'))`;

/** A registry on 127.0.0.1:port inside the lab. It answers from this process, which must not stand still meanwhile. */
export async function serveRegistry(lab: Lab, port: number, options: Parameters<typeof openRegistry>[0] = {}): Promise<TestRegistry> {
  const socket = `${lab.folder}/registry-${port}.sock`;
  const registry = await openRegistry({ ...options, socket, publicAddress: `127.0.0.1:${port}` });
  const forwarder: ChildProcess = lab.spawn(['node', '-e', FORWARDER, socket, String(port)]);
  await new Promise((resolve) => forwarder.stdout?.once('data', resolve));
  return {
    ...registry,
    get fault() {
      return registry.fault;
    },
    set fault(fault) {
      registry.fault = fault;
    },
    async close() {
      await registry.close();
      forwarder.kill('SIGKILL');
    },
  };
}
