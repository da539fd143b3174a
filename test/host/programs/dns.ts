// Against a name server of the test, whose port is the argument.
import { resolve, type ResolveOptions } from 'host:dns';
import { monotonicMs } from 'host:timers';
import { check, equal, ok, rejects } from './check.ts';

export async function dnsProgram([port = '53', deadPort = '9']: string[]): Promise<void> {
  const servers = [`127.0.0.1:${port}`];
  const names = async (name: string, options: ResolveOptions = {}): Promise<string[]> =>
    (await resolve(name, { servers, attempts: 2, timeoutMs: 500, ...options })).map((entry) => entry.address).toSorted();

  await check('addresses of both families', async () => {
    equal(await names('both.test'), ['192.0.2.1', '192.0.2.2', '2001:db8::1']);
    equal(await names('both.test', { family: 4 }), ['192.0.2.1', '192.0.2.2']);
    equal(await names('both.test', { family: 6 }), ['2001:db8::1']);
  });
  await check('one family is enough', async () => {
    equal(await names('four.test'), ['192.0.2.4']);
  });
  await check('aliases are followed', async () => {
    equal(await names('alias.test', { family: 4 }), ['192.0.2.4']);
  });
  await check('numeric addresses need no server', async () => {
    equal(await names('198.51.100.7', { servers: [`127.0.0.1:${deadPort}`] }), ['198.51.100.7']);
    equal(await names('2001:db8::9', { servers: [`127.0.0.1:${deadPort}`] }), ['2001:db8::9']);
  });
  await check('localhost needs none either', async () => {
    ok((await names('localhost', { family: 4, servers: [`127.0.0.1:${deadPort}`] })).includes('127.0.0.1'), 'from the hosts file or built in');
  });
  await check('names that do not exist', async () => {
    equal((await rejects('DNS_NOT_FOUND', resolve('nothing.test', { servers }))).path, 'nothing.test');
    await rejects('DNS_NOT_FOUND', resolve('four.test', { servers, family: 6 }));
    await rejects('DNS_NOT_FOUND', resolve(`${'x'.repeat(64)}.test`, { servers }));
  });
  await check('a server that fails', async () => {
    await rejects('DNS_FAILED', resolve('servfail.test', { servers, attempts: 1 }));
  });
  await check('a server that is silent', async () => {
    const start = monotonicMs();
    await rejects('ETIMEDOUT', resolve('silent.test', { servers, attempts: 1, timeoutMs: 200 }));
    const took = monotonicMs() - start;
    ok(took >= 190, `${took} ms`);
  });
  await check('the second server helps when the first is dead', async () => {
    equal(await names('four.test', { servers: [`127.0.0.1:${deadPort}`, ...servers], timeoutMs: 300 }), ['192.0.2.4']);
  });
  await check('a lost answer is asked for again', async () => {
    equal(await names('flaky.test', { family: 4, timeoutMs: 200, attempts: 3 }), ['192.0.2.5']);
  });
  await check('an answer that is too long comes by TCP', async () => {
    equal((await names('long.test', { family: 4 })).length, 100);
  });
  await check('two hundred at once', async () => {
    const all = await Promise.all(Array.from({ length: 200 }, () => names('four.test', { timeoutMs: 5000 })));
    equal(all.every((list) => list[0] === '192.0.2.4'), true);
  });
}
