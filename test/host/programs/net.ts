import { concat, equal as sameBytes, text } from 'host:bytes';
import * as fs from 'host:fs';
import { connect, datagram, fromFd, listen, listenFd, pipe, type Address, type Listener, type Stream } from 'host:net';
import { ids, pid, spawn } from 'host:process';
import { monotonicMs } from 'host:timers';
import { check, equal, fails, noise, ok, rejects, sleep } from './check.ts';

async function readAll(stream: Stream): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let chunk; (chunk = await stream.read()) !== null; ) parts.push(chunk);
  return concat(parts);
}

async function pair(listener: Listener, address: Address): Promise<[Stream, Stream]> {
  return Promise.all([connect(address), listener.accept()]);
}

async function conversation(client: Stream, server: Stream): Promise<void> {
  await client.write('question');
  equal(text((await server.read()) ?? new Uint8Array()), 'question');
  await server.write(['ans', new Uint8Array([0x77]), '', 'er']);
  equal(text((await client.read()) ?? new Uint8Array()), 'answer');
  await client.shutdown();
  equal(await server.read(), null, 'half closed');
  await server.write('still open');
  server.close();
  equal(text(await readAll(client)), 'still open');
  client.close();
}

async function bulk(client: Stream, server: Stream): Promise<void> {
  const data = noise(5_000_000);
  const [received] = await Promise.all([
    readAll(server),
    (async () => {
      for (let at = 0; at < data.length; at += 777_777) await client.write(data.subarray(at, at + 777_777));
      await client.shutdown();
    })(),
  ]);
  ok(sameBytes(received, data), 'all bytes in order');
  client.close();
  server.close();
}

export async function netProgram([folder = '/tmp']: string[]): Promise<void> {
  const path = `${folder}/a.sock`;
  const unix = listen({ unix: path }, { mode: 0o660 });
  const tcp = listen({ address: '127.0.0.1', port: 0 });
  const tcpAddress = { address: '127.0.0.1', port: tcp.port };

  await check('unix: a conversation', async () => conversation(...(await pair(unix, { unix: path }))));
  await check('tcp: a conversation', async () => conversation(...(await pair(tcp, tcpAddress))));
  await check('unix: five megabytes', async () => bulk(...(await pair(unix, { unix: path }))));
  await check('tcp: five megabytes', async () => bulk(...(await pair(tcp, tcpAddress))));
  await check('permissions of a unix socket', () => {
    equal(fs.stat(path).mode & 0o777, 0o660);
    equal(unix.port, 0);
    ok(tcp.port > 0, 'a port');
  });
  await check('peers', async () => {
    const [client, server] = await pair(unix, { unix: path });
    equal(server.peer(), { kind: 'unix', pid, uid: ids().uid, gid: ids().gid });
    client.close();
    server.close();
    const [far, near] = await pair(tcp, tcpAddress);
    const peer = far.peer();
    equal(peer, { kind: 'tcp', address: '127.0.0.1', port: tcp.port });
    far.close();
    near.close();
  });
  await check('a path longer than the kernel takes', async () => {
    const long = `${folder}/${'d'.repeat(100)}/${'e'.repeat(100)}`;
    fs.mkdirs(long);
    const address = { unix: `${long}/attach` };
    const listener = listen(address, { mode: 0o600 });
    const [client, server] = await pair(listener, address);
    equal(fs.stat(address.unix).mode & 0o777, 0o600);
    client.close();
    server.close();
    listener.close();
    fails('ENAMETOOLONG', () => listen({ unix: `${long}/${'f'.repeat(150)}` }));
  });
  await check('the abstract namespace', async () => {
    const address = { unix: `@minke-test-${pid}` };
    const listener = listen(address);
    const [client, server] = await pair(listener, address);
    client.close();
    server.close();
    listener.close();
  });
  await check('a stale socket can be told from a living one', async () => {
    fails('EADDRINUSE', () => listen({ unix: path }));
    const stale = { unix: `${folder}/stale.sock` };
    listen(stale).close();
    fails('EADDRINUSE', () => listen(stale));
    await rejects('ECONNREFUSED', connect(stale));
    await rejects('ENOENT', connect({ unix: `${folder}/none.sock` }));
  });
  await check('connections refused, and addresses that are none', async () => {
    const port = listen({ address: '127.0.0.1', port: 0 });
    const address = { address: '127.0.0.1', port: port.port };
    port.close();
    const error = await rejects('ECONNREFUSED', connect(address));
    equal(error.path, `127.0.0.1:${address.port}`);
    fails('EINVAL', () => void connect({ address: 'localhost', port: 1 }));
    fails('EADDRINUSE', () => listen(tcpAddress));
  });
  await check('a connection that nobody answers times out', async () => {
    // a listener whose queue is full: the kernel keeps the caller waiting
    const full = listen({ unix: `${folder}/full.sock` }, { backlog: 0 });
    const first = await connect({ unix: `${folder}/full.sock` });
    const start = monotonicMs();
    await rejects('ETIMEDOUT', connect({ unix: `${folder}/full.sock` }, { timeoutMs: 60 }));
    ok(monotonicMs() - start >= 55, 'it waited');
    const late = connect({ unix: `${folder}/full.sock` });
    (await full.accept()).close();
    (await late).close();
    first.close();
    full.close();
  });
  await check('IPv6, where there is one', async () => {
    let six: Listener;
    try {
      six = listen({ address: '::1', port: 0 });
    } catch {
      return;
    }
    const [client, server] = await pair(six, { address: '::1', port: six.port });
    const peer = server.peer();
    equal(peer?.kind === 'tcp' ? peer.address : null, '::1');
    client.close();
    server.close();
    six.close();
  });
  await check('closing rejects what is pending', async () => {
    const [client, server] = await pair(unix, { unix: path });
    const reading = rejects('ECANCELED', client.read());
    const writing = rejects('ECANCELED', client.write(new Uint8Array(50_000_000)));
    await sleep(10);
    client.close();
    client.close();
    await reading;
    await writing;
    equal(client.fd, -1);
    await rejects('ECANCELED', client.read());
    await rejects('ECANCELED', client.write('x'));
    server.close();
    const accepting = rejects('ECANCELED', unix.accept());
    fails('EBUSY', () => void unix.accept());
    const other = listen({ unix: `${folder}/other.sock` });
    const second = rejects('ECANCELED', other.accept());
    other.close();
    await second;
    (await connect({ unix: path })).close();
    await accepting.catch(() => undefined);
  });
  await check('one read at a time, writes in order', async () => {
    const [client, server] = await pair(tcp, tcpAddress);
    const first = client.read();
    await rejects('EBUSY', client.read());
    await Promise.all([server.write('1'), server.write('2'), server.write('3')]);
    const got = [await first];
    while (concat(got.map((part) => part ?? new Uint8Array())).length < 3) got.push(await client.read());
    equal(text(concat(got.map((part) => part ?? new Uint8Array()))), '123');
    await client.shutdown();
    await rejects('EPIPE', client.write('x'));
    client.close();
    server.close();
  });
  await check('writing to one who has gone', async () => {
    const [client, server] = await pair(unix, { unix: path });
    server.close();
    await rejects('EPIPE', client.write('x'));
    equal(await client.read(), null);
    client.close();
  });
  await check('a hang-up is noticed without reading', async () => {
    const [client, server] = await pair(unix, { unix: path });
    let gone = false;
    const hangup = server.hangup().then(() => (gone = true));
    await client.write('unread');
    await client.shutdown();
    await sleep(30);
    equal(gone, false, 'half closed is not gone');
    await server.write('answer');
    equal((await client.read())?.length, 6);
    client.close();
    await hangup;
    equal(text(await readAll(server)), 'unread', 'what was sent before is still there');
    await server.hangup();
    server.close();
    const [other, mine] = await pair(unix, { unix: path });
    const closing = mine.hangup();
    const reading = rejects('ECANCELED', mine.read());
    mine.close();
    await Promise.all([closing, reading, mine.hangup()]);
    other.close();
  });
  await check('nothing is read before somebody asks', async () => {
    const [client, server] = await pair(unix, { unix: path });
    let done = false;
    const writing = server.write(new Uint8Array(20_000_000)).then(() => (done = true));
    await sleep(50);
    equal(done, false);
    let received = 0;
    while (received < 20_000_000) received += (await client.read(1_000_000))?.length ?? 0;
    await writing;
    client.close();
    server.close();
  });
  await check('a fast sender does not starve the others', async () => {
    const [client, server] = await pair(unix, { unix: path });
    const state = { stop: false };
    const block = new Uint8Array(60_000);
    let blocks = 0;
    const sending = (async () => {
      for (; !state.stop; blocks++) await server.write(block);
      server.close();
    })();
    const receiving = (async () => {
      while ((await client.read()) !== null) continue;
    })();
    // Were they starved, these would not come at all: how long they take is the machine's matter.
    for (let tick = 0; tick < 20; tick++) await sleep(1);
    const before = blocks;
    while (blocks < before + 20) await sleep(1);
    state.stop = true;
    await Promise.all([sending, receiving]);
    ok(before > 0, 'it sent meanwhile');
    client.close();
  });
  await check('two hundred connections at once', async () => {
    const serve = async (): Promise<void> => {
      for (let i = 0; i < 200; i++) {
        const stream = await unix.accept();
        void (async () => {
          await stream.write((await stream.read()) ?? '');
          stream.close();
        })();
      }
    };
    const ask = async (i: number): Promise<void> => {
      const stream = await connect({ unix: path });
      await stream.write(`number ${i}`);
      equal(text(await readAll(stream)), `number ${i}`);
      stream.close();
    };
    await Promise.all([serve(), ...Array.from({ length: 200 }, (_, i) => ask(i))]);
  });
  await check('records keep their borders', async () => {
    // the other end of a SEQPACKET socket, as conmon has one
    const address = `${folder}/records.sock`;
    const script = 'import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET)\ns.bind(sys.argv[1]);s.listen()\nprint("up",flush=True)\nc,_=s.accept()\nwhile True:\n d=c.recv(100)\n if not d: break\n c.send(b"<"+d+b">");c.send(b"second")\n';
    const child = spawn({ argv: ['python3', '-c', script, address], stdio: ['null', 'pipe-out', 'inherit'] });
    await child.stdout?.read();
    const stream = await connect({ unix: address }, { records: true });
    await stream.write(['on', 'e']);
    equal(text((await stream.read()) ?? new Uint8Array()), '<one>');
    equal(text((await stream.read(3)) ?? new Uint8Array()), 'sec', 'cut');
    await stream.write('two');
    equal(text((await stream.read()) ?? new Uint8Array()), '<two>');
    await stream.shutdown();
    equal(text((await stream.read()) ?? new Uint8Array()), 'second');
    equal(await stream.read(), null);
    stream.close();
    await child.wait();
  });
  await check('descriptors of all kinds as streams', async () => {
    const { readFd, writeFd } = pipe();
    const [from, to] = [fromFd(readFd), fromFd(writeFd)];
    await Promise.all([to.write(noise(300_000)).then(() => to.shutdown()), readAll(from).then((all) => ok(sameBytes(all, noise(300_000)), 'through a pipe'))]);
    equal(to.fd, -1, 'a pipe closes');
    fs.writeFile(`${folder}/plain`, noise(200_000));
    const file = fromFd(fs.open(`${folder}/plain`));
    ok(sameBytes(await readAll(file), noise(200_000)), 'a file');
    file.close();
    const nothing = fromFd(fs.open('/dev/null', fs.O_RDWR));
    equal(await nothing.read(), null);
    await nothing.write('x');
    nothing.close();
    const zero = fromFd(fs.open('/dev/zero'));
    equal((await zero.read(100))?.length, 100);
    zero.close();
  });
  await check('datagrams find their way and their way back', async () => {
    const server = datagram({ address: '127.0.0.1', port: 0 });
    const client = datagram({ address: '127.0.0.1', port: 0 });
    fails('EADDRINUSE', () => datagram({ address: '127.0.0.1', port: server.port }));
    const asked = server.receive();
    await rejects('EBUSY', Promise.resolve().then(() => server.receive()));
    client.send(new Uint8Array([1, 2, 3]), { address: '127.0.0.1', port: server.port });
    const query = await asked;
    equal([[...query.data], query.address, query.port], [[1, 2, 3], '127.0.0.1', client.port]);
    server.send(noise(9000), { address: query.address, port: query.port });
    ok(sameBytes((await client.receive()).data, noise(9000)), 'a long one, in several packets');
    client.send(new Uint8Array(0), { address: '127.0.0.1', port: server.port });
    equal((await server.receive()).data.length, 0, 'an empty one');
    const pending = rejects('ECANCELED', server.receive());
    server.close();
    await pending;
    fails('ECANCELED', () => server.send(new Uint8Array(1), { address: '127.0.0.1', port: 1 }));
    // Nobody listens there any more; what the kernel says of it later is no error of the next one.
    for (let count = 0; count < 3; count++) client.send(new Uint8Array(1), { address: '127.0.0.1', port: server.port });
    const none = rejects('ECANCELED', client.receive());
    await sleep(20);
    client.close();
    client.close();
    await none;
    fails('EAFNOSUPPORT', () => datagram({ unix: '/tmp/x' }));
  });
  await check('a descriptor changes hands', async () => {
    const [client, server] = await pair(unix, { unix: path });
    const reading = rejects('ECANCELED', server.read());
    const fd = server.release();
    await reading;
    equal(server.fd, -1);
    const again = fromFd(fd);
    await client.write('x');
    equal((await again.read())?.length, 1);
    again.close();
    client.close();
    const listener = listenFd(fs.dup(unix.fd));
    const [a, b] = await pair(listener, { unix: path });
    a.close();
    b.close();
    listener.close();
  });
  unix.close();
  tcp.close();
}
