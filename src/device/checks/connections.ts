import { hostAddress } from '../host-services.ts';
import { cellularProfile } from './cellular.ts';
import { ensure, type BootCheck } from './check.ts';
import { page, publishedPage } from './engine.ts';
import { loadContainer } from './far.ts';
import { radioProfiles } from './radio-profiles.ts';
import { sharedChecks } from './shared.ts';

const profile = (name: string, lines: string): string => `cat >/mnt/boot/system-connections/${name}.nmconnection <<'END'\n${lines}\nEND`;

/** Puts profiles and a script of NetworkManager where their owner would, for the next start. */
export const leaveProfiles = (radio: boolean, modem: boolean): BootCheck => ({
  name: 'network: profiles and a script are left on the boot partition',
  run: async (board) => {
    const port = (await board.need("nmcli -g DEVICE,TYPE,STATE device | sed -n 's/:ethernet:connected$//p' | head -n 1")).trim();
    ensure(port !== '', 'no Ethernet port is connected');
    const script = `
set -e
mount -o remount,rw /mnt/boot
mkdir -p /mnt/boot/system-connections /mnt/boot/dispatcher.d
${profile('fixed', `[connection]\nid=fixed\ntype=vlan\ninterface-name=boot-vlan\n[vlan]\nid=42\nparent=${port}\n[ipv4]\nmethod=manual\naddress1=192.0.2.10/24\nnever-default=true\n[ipv6]\nmethod=disabled`)}
${profile('shared', '[connection]\nid=shared\ntype=ethernet\ninterface-name=boot-lan\n[ipv4]\nmethod=shared\naddress1=198.51.100.1/24\n[ipv6]\nmethod=disabled')}
${[...(radio ? radioProfiles : []), ...(modem ? [cellularProfile] : [])].map(({ name, lines }) => profile(name, lines)).join('\n')}
${profile('broken', '[connection\nid=')}
printf '#!/bin/sh\\r\\necho "$2 $1" >>/run/boot-test-dispatched\\r\\n' >/mnt/boot/dispatcher.d/50-boot-test
sync
mount -o remount,ro /mnt/boot`;
    await board.need(script);
  },
});

export const profileChecks: readonly BootCheck[] = [
  {
    name: 'network: a VLAN with a fixed address from the boot partition is up',
    run: (board) =>
      board.eventually(60, async () => {
        const text = await board.need('ip -d -4 addr show dev boot-vlan');
        ensure(/vlan protocol 802\.1Q id 42/.test(text) && text.includes('192.0.2.10/24'), text);
      }),
  },
  {
    name: 'network: the script from the boot partition ran for it',
    run: (board) => board.eventually(60, () => board.need('grep -q "^up boot-vlan$" /run/boot-test-dispatched')),
  },
  { name: 'network: a broken profile among them stops nothing', run: async (board) => void (await board.need('nmcli -g NAME connection show | grep -qx fixed && ! nmcli -g NAME connection show | grep -qx broken')) },
  {
    name: 'network: containers ask the device’s own name server',
    run: async (board) => {
      await loadContainer(board);
      await board.need(`echo 'server=/${board.serviceName}/${hostAddress}#${board.services.dnsPort}' >/run/minke-dns/boot-test.conf && systemctl restart dnsmasq.service`);
      return board.eventually(60, async () => {
        const text = await board.need(`minke run --rm ${board.container.reference} sh -c 'cat /etc/resolv.conf; wget -q -O - http://${board.serviceName}:${board.services.httpPort}/'`, { timeoutMs: 120_000 * board.scale });
        ensure(text.includes('nameserver 10.114.101.1') && text.includes(board.serviceAnswer), text);
      });
    },
  },
  ...sharedChecks,
  {
    name: 'network: whether the internet can be reached is known to applications',
    run: async (board) => {
      const asked = `http://${hostAddress}:${board.services.httpPort}/check`;
      const state = 'nmcli networking connectivity check';
      await board.need(`minke os config set os.network.connectivity '${JSON.stringify({ uri: asked, interval: 10, response: board.serviceAnswer })}'`, { timeoutMs: 120_000 * board.scale });
      await board.eventually(60, async () => ensure((await board.need(state)).trim() === 'full', await board.need(state)));
      await board.need(`minke os config set os.network.connectivity.response nobody-answers-so`, { timeoutMs: 120_000 * board.scale });
      await board.eventually(60, async () => ensure(/^(limited|portal)$/.test((await board.need(state)).trim()), await board.need(state)));
      await board.need('minke os config unset os.network.connectivity', { timeoutMs: 120_000 * board.scale });
    },
  },
  {
    name: 'network: the firewall of the host shuts a port, opens it, and lets SSH in',
    run: async (board) => {
      const limit = { timeoutMs: 120_000 * board.scale };
      await board.need(`minke run -d --name host-page --network host ${board.container.reference} sh -c 'echo "${page}" >/tmp/index.html; exec httpd -f -p ${board.published.guest} -h /tmp'`, limit);
      const isOpen = async (): Promise<boolean> => (await publishedPage(board).catch(() => '')).trim() === page;
      const becomes = (open: boolean): Promise<void> => board.eventually(60, async () => ensure((await isOpen()) === open, open ? 'nobody answers' : 'it is still let in'));
      await becomes(true);
      await board.need(`minke os config set os.firewall '{"enabled":true}'`, limit);
      await becomes(false);
      await board.need('true');
      await board.need(`minke os config set os.firewall.allow '["${board.published.guest}/tcp"]'`, limit);
      await becomes(true);
      await board.need('minke os config unset os.firewall.allow', limit);
      await becomes(false);
      await board.need('minke os config unset os.firewall', limit);
      await becomes(true);
      await board.need('minke rm -f host-page', limit);
    },
  },
  {
    name: 'network: an address comes back by itself after the port was down',
    run: async (board) => {
      // Over the port itself: what has to be done is left with the board.
      const script = `port=$(nmcli -g DEVICE,TYPE,STATE device | sed -n 's/:ethernet:connected$//p' | head -n 1)
ip link set $port down; sleep 10; ip -4 -o addr show dev $port scope global >/run/boot-test-while-down; ip link set $port up`;
      await board.need('cat >/run/boot-test-port.sh && systemd-run --quiet --unit=boot-test-port sh /run/boot-test-port.sh', { stdin: Buffer.from(script) });
      await board.eventually(120, async () => {
        ensure((await board.need('systemctl is-active boot-test-port.service || true')).trim() !== 'active', 'the port is still down');
        await board.need('test -e /run/boot-test-while-down && ip -4 route show default | grep -q "^default via"');
      });
    },
  },
];
