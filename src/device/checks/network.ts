import { readFile } from 'node:fs/promises';

import { announcedAddresses } from '../capture.ts';
import { ensure, type BootCheck } from './check.ts';

export const networkChecks: readonly BootCheck[] = [
  {
    name: 'network: <hostname>.local is announced on the wire, as seen from outside',
    run: (board) =>
      board.eventually(90, async () => {
        const found = announcedAddresses(await readFile(board.capture), `${board.hostname}.local`);
        ensure(found.length > 0, `no multicast DNS answer for ${board.hostname}.local among the board's packets`);
        const own = await board.need('ip -4 -o addr show scope global');
        ensure(found.some((address) => own.includes(` ${address}/`)), `announced ${found.join(', ')}, but the board has ${own}`);
        return found.join(', ');
      }),
  },
  {
    name: 'network: dnsmasq asks the servers it is given',
    run: async (board) => {
      await board.need(`echo 'server=/${board.serviceName}/10.0.2.2#${board.services.dnsPort}' >/run/minke-dns/boot-test.conf && systemctl restart dnsmasq.service`);
      return board.eventually(30, async () => {
        const text = await board.need(`getent ahostsv4 ${board.serviceName}`);
        ensure(text.startsWith('10.0.2.2'), `resolved to ${text}`);
        return text.split('\n')[0];
      });
    },
  },
];
