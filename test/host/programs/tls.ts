// Against a server of the test: arguments are its port, the folder with certificates, and the mode.
import { text } from 'host:bytes';
import * as fs from 'host:fs';
import { connect, startTls, trustStore, type Stream, type TlsInfo, type TlsOptions } from 'host:net';
import { check, equal, fails, noise, ok, rejects } from './check.ts';

interface Ports {
  good: number;
  expired: number;
  rude: number;
  client: number;
  plain: number;
  silent: number;
  old: number;
}

export async function tlsProgram([folder = '', portsText = '{}']: string[]): Promise<void> {
  const ports = JSON.parse(portsText) as Ports;
  const trust = trustStore({ paths: [`${folder}/ca.crt`] });
  const nobody = trustStore({});

  async function open(port: number, options: Partial<TlsOptions> = {}): Promise<[Stream, TlsInfo]> {
    const stream = await connect({ address: '127.0.0.1', port });
    try {
      return [stream, await startTls(stream, { serverName: 'server.test', trust, ...options })];
    } catch (error) {
      equal(stream.fd, -1, 'a refused stream is closed');
      throw error;
    }
  }
  async function ask(stream: Stream, question: string): Promise<string> {
    await stream.write(question);
    return text((await stream.read()) ?? new Uint8Array());
  }

  await check('trust stores', () => {
    equal(trust.certificateCount, 1);
    equal(nobody.certificateCount, 0);
    equal(trustStore({ paths: ['/no/such/file'] }).certificateCount, 0);
    fails('ENOENT', () => trustStore({ paths: ['/no/such/file'], required: true }));
    equal(trustStore({ pem: [fs.readText(`${folder}/ca.crt`), 'rubbish'] }).certificateCount, 1);
    fs.mkdirs(`${folder}/ca.d`);
    fs.writeFile(`${folder}/ca.d/one.crt`, fs.readFile(`${folder}/ca.crt`));
    equal(trustStore({ paths: [`${folder}/ca.d`] }).certificateCount, 1);
    if (fs.exists('/etc/ssl/certs/ca-certificates.crt')) ok(trustStore({ paths: ['/etc/ssl/certs/ca-certificates.crt'] }).certificateCount > 80, 'the system has many');
  });
  await check('a good server', async () => {
    const [stream, info] = await open(ports.good, { alpn: ['http/1.1'] });
    ok(/^TLSv1\.[23]$/.test(info.version), info.version);
    equal(info.alpn, 'http/1.1');
    equal(await ask(stream, 'echo'), 'echo');
    stream.close();
  });
  await check('five megabytes there and back', async () => {
    const [stream] = await open(ports.good);
    const data = noise(5_000_000);
    let received = 0;
    let wrong = 0;
    await Promise.all([
      stream.write(data),
      (async () => {
        while (received < data.length) {
          const chunk = await stream.read();
          if (chunk === null) break;
          if (chunk[0] !== data[received]) wrong++;
          received += chunk.length;
        }
      })(),
    ]);
    equal([received, wrong], [data.length, 0]);
    stream.close();
  });
  await check('the end: shutdown is answered, a cut is noticed', async () => {
    const [stream] = await open(ports.good);
    equal(await ask(stream, 'x'), 'x');
    await stream.shutdown();
    equal(await stream.read(), null);
    stream.close();
    const [cut] = await open(ports.rude);
    await cut.write('go');
    await rejects('TRUNCATED', cut.read());
    cut.close();
  });
  await check('another host name is refused', async () => {
    const error = await rejects('TLS_VERIFY', open(ports.good, { serverName: 'other.test' }));
    ok(/name|CN/i.test(error.message), error.message);
  });
  await check('a numeric address is compared too', async () => {
    const [stream] = await open(ports.good, { serverName: '127.0.0.1' });
    stream.close();
    await rejects('TLS_VERIFY', open(ports.good, { serverName: '127.0.0.2' }));
  });
  await check('an unknown authority is refused', async () => {
    const error = await rejects('TLS_VERIFY', open(ports.good, { trust: nobody }));
    ok(/trust/i.test(error.message), error.message);
  });
  await check('an expired certificate is refused', async () => {
    const error = await rejects('TLS_VERIFY', open(ports.expired));
    ok(/expired|validity/i.test(error.message), error.message);
  });
  await check('insecure takes them all', async () => {
    const [stream] = await open(ports.expired, { insecure: true, trust: nobody, serverName: 'whatever' });
    equal(await ask(stream, 'hi'), 'hi');
    stream.close();
  });
  await check('client certificates', async () => {
    const files = { certificate: fs.readText(`${folder}/client.crt`), key: fs.readText(`${folder}/client.key`) };
    const [stream] = await open(ports.client, files);
    equal(await ask(stream, 'me'), 'me');
    stream.close();
    const stranger = await connect({ address: '127.0.0.1', port: ports.client });
    fails('EINVAL', () => void startTls(stranger, { serverName: 'server.test', trust, certificate: 'rubbish', key: 'rubbish' }));
    stranger.close();
  });
  await check('a server that speaks no TLS', async () => {
    await rejects('TLS_PROTOCOL', open(ports.plain));
  });
  await check('a server that says nothing', async () => {
    const silent = await connect({ address: '127.0.0.1', port: ports.silent });
    await rejects('ETIMEDOUT', startTls(silent, { serverName: 'server.test', trust, timeoutMs: 50 }));
    equal(silent.fd, -1);
  });
  await check('TLS 1.2', async () => {
    const [stream, info] = await open(ports.old);
    equal(info.version, 'TLSv1.2');
    equal(await ask(stream, 'old'), 'old');
    stream.close();
  });
  await check('closing during the handshake', async () => {
    const stream = await connect({ address: '127.0.0.1', port: ports.good });
    const handshake = rejects('ECANCELED', startTls(stream, { serverName: 'server.test', trust }));
    stream.close();
    await handshake;
  });
  await check('what is written during the handshake follows it', async () => {
    const stream = await connect({ address: '127.0.0.1', port: ports.good });
    const handshake = startTls(stream, { serverName: 'server.test', trust });
    const written = stream.write('early');
    await handshake;
    await written;
    equal(text((await stream.read()) ?? new Uint8Array()), 'early');
    stream.close();
  });
}
