import type { Board } from '../board.ts';
import { ensure, type BootCheck } from './check.ts';
import { busybox, inside, lease, usesBoard } from './far.ts';
import { hotspotAddress, networks, passphrase, radios } from './radio-profiles.ts';

// Namespaces: the access points, and the one who joins the board's hotspot.
const [air, guest] = ['boot-air', 'boot-guest'] as const;
const [airAddress, otherAddress] = ['203.0.113.1', '203.0.113.129'] as const;

/** wpa_supplicant of one radio in a namespace, with what its network block says. */
function supplicant(space: string, radio: string, network: string): string {
  const file = `/run/boot-test/${radio}`;
  return `printf '%s\\n' 'network={' '${network.replaceAll('\n', "' '")}' '}' >${file}.conf
${inside(space, `wpa_supplicant -B -i ${radio} -c ${file}.conf -D nl80211 -P ${file}.pid -f ${file}.log`)}`;
}

const accessPoint = (radio: string, ssid: string, psk: string): string => supplicant(air, radio, `ssid="${ssid}"\nmode=2\nfrequency=2412\nkey_mgmt=WPA-PSK\nproto=RSN\npairwise=CCMP\npsk="${psk}"`);
const off = (radio: string): string => `kill $(cat /run/boot-test/${radio}.pid) && while [ -e /run/boot-test/${radio}.pid ]; do sleep 1; done`;

/** Until the board's radio has a profile and an address of its network. */
const connected = (board: Board, profile: string, seconds: number): Promise<string> =>
  board.eventually(seconds, async () => {
    const state = await board.need(`nmcli -g GENERAL.STATE,GENERAL.CONNECTION,IP4.ADDRESS device show ${radios.board}`);
    ensure(state.includes('100 (connected)') && state.includes(profile) && state.includes('203.0.113.'), state);
    return state.trim().split('\n').at(-1) ?? '';
  });

const disconnected = (board: Board): Promise<void> => board.eventually(120, async () => ensure(!(await board.need(`nmcli -g GENERAL.STATE device show ${radios.board}`)).startsWith('100'), 'still connected'));

/** After the checks of shared connections, which put the far side's programs there. */
export const radioChecks: readonly BootCheck[] = [
  {
    name: 'Wi-Fi: a network that refuses the passphrase does not keep the board from the next one',
    run: async (board) => {
      const { radio } = board;
      const limit = { timeoutMs: 120_000 * board.scale };
      if (radio === null) throw new Error('there is no module of virtual radios');
      await board.need(`set -e
ip netns add ${air}
ip netns add ${guest}
cat >/run/boot-test/radios.ko
modprobe mac80211
insmod /run/boot-test/radios.ko radios=5
udevadm settle
move() { iw phy "$(cat /sys/class/net/$2/phy80211/name)" set netns name $1; }
move ${air} ${radios.accessPoint}
move ${air} ${radios.refusing}
move ${guest} ${radios.guest}`, { stdin: radio, ...limit });
      await board.need(`set -e
${accessPoint(radios.refusing, networks.refusing, 'quite another one')}
ip -n ${air} address add ${airAddress}/25 dev ${radios.accessPoint}
ip -n ${air} address add ${otherAddress}/25 dev ${radios.refusing}
${inside(air, `dnsmasq --conf-file=/dev/null --port=0 --pid-file=/run/boot-test/dhcp.pid --dhcp-leasefile=/run/boot-test/leases --bind-dynamic --interface=${radios.accessPoint} --interface=${radios.refusing} --dhcp-range=203.0.113.10,203.0.113.20,1h --dhcp-range=203.0.113.140,203.0.113.150,1h`)}`, limit);
      await board.eventually(180, () => board.need(`journalctl -b -u NetworkManager.service | grep "Activation: failed for connection 'refusing'"`));
      await board.need(accessPoint(radios.accessPoint, networks.accessPoint, passphrase), limit);
      return connected(board, 'wireless', 180);
    },
  },
  {
    name: 'Wi-Fi: traffic passes over the radio',
    run: async (board) => {
      await board.need(`mkdir -p /run/boot-test/air && echo over-the-air >/run/boot-test/air/index.html && ${inside(air, `${busybox} httpd -p ${airAddress}:8000 -h /run/boot-test/air`)}`);
      const page = await board.need(`ip route get ${airAddress} | grep -q 'dev ${radios.board} ' && ${busybox} wget -q -T 20 -O - http://${airAddress}:8000/`);
      ensure(page.trim() === 'over-the-air', page);
    },
  },
  {
    name: 'Wi-Fi: the board comes back by itself when its access point does',
    run: async (board) => {
      await board.need(off(radios.accessPoint));
      await disconnected(board);
      await board.need(accessPoint(radios.accessPoint, networks.accessPoint, passphrase));
      return connected(board, 'wireless', 180);
    },
  },
  {
    name: 'Wi-Fi: a passphrase that was refused is tried again, and taken when it has become right',
    run: async (board) => {
      await board.need(`${off(radios.refusing)}\n${off(radios.accessPoint)}`);
      await disconnected(board);
      await board.need(accessPoint(radios.refusing, networks.refusing, passphrase));
      return connected(board, 'refusing', 300);
    },
  },
  {
    name: 'hotspot: a client joins it with its passphrase and gets an address',
    run: async (board) => {
      await board.eventually(60, async () => {
        const state = await board.need(`nmcli -g GENERAL.STATE,GENERAL.CONNECTION device show ${radios.hotspot}`);
        ensure(state.includes('100 (connected)') && state.includes('hotspot'), state);
      });
      await board.need(supplicant(guest, radios.guest, `ssid="${networks.hotspot}"\npsk="${passphrase}"`));
      return board.eventually(120, async () => {
        const { address, router } = await lease(board, guest, radios.guest);
        ensure(address.startsWith('198.18.3.') && router === hotspotAddress, `${address}, router ${router}`);
        return address;
      });
    },
  },
  { name: 'hotspot: through it the client gets names, pages from beyond the board and those of a container', run: (board) => usesBoard(board, guest, hotspotAddress) },
];
