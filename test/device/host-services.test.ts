import { Resolver } from 'node:dns/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startHostServices, type HostServices } from '../../src/device/host-services.ts';

let services: HostServices;
const resolver = new Resolver({ timeout: 2000, tries: 1 });

beforeAll(async () => {
  services = await startHostServices('web.example', 'hello');
  resolver.setServers([`127.0.0.1:${services.dnsPort}`]);
});
afterAll(() => services.close());

test('the name server knows its one name', async () => {
  expect(await resolver.resolve4('web.example')).toEqual(['10.0.2.2']);
  expect(await resolver.resolve4('WEB.example')).toEqual(['10.0.2.2']);
});

test('other names do not exist, and the name has no other addresses', async () => {
  await expect(resolver.resolve4('other.example')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  await expect(resolver.resolve6('web.example')).rejects.toMatchObject({ code: 'ENODATA' });
});

test('the web server answers and keeps what was asked for', async () => {
  const response = await fetch(`http://127.0.0.1:${services.httpPort}/path`);
  expect(await response.text()).toBe('hello');
  expect(services.requests).toEqual([`127.0.0.1:${services.httpPort}/path`]);
});
