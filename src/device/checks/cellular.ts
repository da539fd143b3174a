import type { Board } from '../board.ts';
import { modemPort, modemSerials } from '../modem.ts';
import { ensure, type BootCheck } from './check.ts';
import { busybox, inside } from './far.ts';

// The carrier is a network namespace on the board, with a modem of a few lines on the other end of the serial port.
const space = 'boot-carrier';
const folder = '/run/boot-test';
/** Of the carrier: its end of the connection, what the device gets, and a host beyond that nothing but the default route leads to. */
const [carrier, device, beyond] = ['198.19.0.1', '198.19.0.2', '198.19.1.1'] as const;
const text = 'over-the-carrier';

/** What an owner puts on the boot partition for a modem. */
export const cellularProfile = { name: 'cellular', lines: '[connection]\nid=cellular\ntype=gsm\n[gsm]\napn=internet.example\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=disabled' } as const;

/**
 * A modem with one subscriber: answers orders as 3GPP TS 27.007 has them, as far as ModemManager asks, and speaks PPP once it is called.
 * `modem.log` has what it was asked; while there is a file `refuse`, the network takes no calls.
 */
const modem = `#!/bin/sh
tty=$1
ready() { stty -F "$tty" 115200 icanon icrnl -echo -opost -ixon clocal; }
answer() { printf '\\r\\n%s\\r\\n' "$@" >&3; }
ready
exec 3<>"$tty"
profile=
while IFS= read -r order <&3; do
  echo "$order" >>${folder}/modem.log
  case $order in
    AT+CGMI) answer Minke OK ;;
    AT+CGMM) answer 'Minke Test' OK ;;
    AT+CGMR) answer 1 OK ;;
    AT+CGSN) answer 490154203237518 OK ;;
    AT+GCAP) answer '+GCAP: +CGSM' OK ;;
    AT+CPIN\\?) answer '+CPIN: READY' OK ;;
    AT+CIMI) answer 001010123456789 OK ;;
    AT+CFUN\\?) answer '+CFUN: 1' OK ;;
    AT+CREG\\?) answer '+CREG: 0,1' OK ;;
    AT+CGREG\\?) answer '+CGREG: 0,1' OK ;;
    AT+CSQ) answer '+CSQ: 20,99' OK ;;
    AT+COPS\\?) answer '+COPS: 0,2,"00101",2' OK ;;
    AT+CGDCONT=\\?) answer '+CGDCONT: (1-4),"IP",,,(0),(0)' OK ;;
    AT+CGDCONT=*) profile=\${order#*=}; answer OK ;;
    AT+CGDCONT\\?) answer \${profile:+"+CGDCONT: $profile,\\"\\",0,0"} OK ;;
    ATD\\*99*)
      if [ -e ${folder}/refuse ]; then
        answer 'NO CARRIER'
        continue
      fi
      answer 'CONNECT 115200'
      ${inside(space, `pppd "$tty" 115200 nodetach local noauth nodefaultroute lcp-echo-interval 5 lcp-echo-failure 3 ${carrier}:${device} ms-dns ${carrier}`)} >>${folder}/carrier.log 2>&1
      ready
      answer 'NO CARRIER' ;;
    AT | ATZ* | ATE0 | ATV1 | ATX4 | ATH | 'AT&C1' | 'AT&D'* | AT+CMEE=* | AT+CFUN=* | AT+CREG=* | AT+CGREG=* | AT+COPS=*) answer OK ;;
    AT*) answer ERROR ;;
  esac
done
`;

/** Modems of a maker whose other serial adapters are none are taken up by a rule; the other end of the line is none. */
const rule = (serial: string, variable: string): string => `SUBSYSTEM=="tty", SUBSYSTEMS=="usb", ATTRS{serial}=="${serial}", ENV{${variable}}="1"`;
const rules = `${rule(modemSerials.modem, 'ID_MM_DEVICE_PROCESS')}\n${rule(modemSerials.far, 'ID_MM_DEVICE_IGNORE')}\n`;

const port = (serial: string): string => `/dev/serial/by-id/*_${serial}-*`;
const limit = (board: Board): { timeoutMs: number } => ({ timeoutMs: 120_000 * board.scale });

/** Until the modem's connection has its address. */
const connected = (board: Board): Promise<string> =>
  board.eventually(180, async () => {
    const state = await board.need('nmcli -g TYPE,STATE,CONNECTION device; ip -4 -o addr show');
    ensure(state.includes('gsm:connected:cellular') && state.includes(` ${device} peer ${carrier}/`), state);
    return device;
  });

const disconnected = (board: Board): Promise<void> => board.eventually(60, async () => ensure(!(await board.need('nmcli -g TYPE,STATE device')).includes('gsm:connected'), 'still connected'));
const calls = async (board: Board): Promise<number> => Number((await board.need(`grep -c '^ATD' ${folder}/modem.log || true`)).trim());

/** After the checks of shared connections, which put the far side's programs there. */
export const cellularChecks: readonly BootCheck[] = [
  {
    name: 'cellular: a modem that is plugged in is taken up by a rule of config.json, and connects with the profile from the boot partition',
    run: async (board) => {
      await board.need(
        `set -e
cat >${folder}/modem
chmod 755 ${folder}/modem
ip netns add ${space}
ip -n ${space} link set lo up
ip -n ${space} address add ${beyond}/32 dev lo
mkdir -p ${folder}/carrier
echo ${text} >${folder}/carrier/index.html
${inside(space, `${busybox} httpd -p 8000 -h ${folder}/carrier`)}
modprobe ftdi_sio`,
        { stdin: Buffer.from(modem), ...limit(board) },
      );
      await board.need(`minke os config set os.udevRules "$(cat)"`, { stdin: Buffer.from(JSON.stringify({ '56-modem': rules })), ...limit(board) });
      await modemPort(board.lane.controlSocket).plugIn();
      await board.eventually(60, () => board.need(`ls ${port(modemSerials.far)} ${port(modemSerials.modem)}`));
      await board.need(`systemd-run --quiet --unit=boot-test-modem sh -c '${folder}/modem ${port(modemSerials.far)}'`);
      return connected(board);
    },
  },
  {
    name: 'cellular: pages come over it, and what Ethernet reaches goes over Ethernet',
    run: async (board) => {
      const page = await board.need(`${busybox} wget -q -T 20 -O - http://${carrier}:8000/`);
      ensure(page.trim() === text, page);
      const route = await board.need(`ip route get ${beyond}`);
      ensure(!route.includes(' ppp'), route);
    },
  },
  {
    name: 'cellular: it takes over while Ethernet is away',
    run: async (board) => {
      const script = `port=$(nmcli -g DEVICE,TYPE,STATE device | sed -n 's/:ethernet:connected$//p' | head -n 1)
ip link set $port down
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ${busybox} wget -q -T 5 -O ${folder}/page-over-carrier http://${beyond}:8000/ && break; sleep 2; done
ip link set $port up`;
      await board.need(`cat >${folder}/take-over.sh && systemd-run --quiet --unit=boot-test-take-over sh ${folder}/take-over.sh`, { stdin: Buffer.from(script) });
      await board.eventually(180, async () => {
        ensure((await board.need('systemctl is-active boot-test-take-over.service || true')).trim() !== 'active', 'Ethernet is still away');
        const page = await board.need(`cat ${folder}/page-over-carrier`);
        ensure(page.trim() === text, page);
      });
    },
  },
  {
    name: 'cellular: a modem that was pulled out and plugged in again connects again',
    run: async (board) => {
      const { pullOut, plugInAgain } = modemPort(board.lane.controlSocket);
      await pullOut();
      await disconnected(board);
      await board.eventually(60, () => board.need(`! ls ${port(modemSerials.modem)} 2>/dev/null`));
      await plugInAgain();
      return connected(board);
    },
  },
  {
    name: 'cellular: a network that takes no calls is not called without a pause',
    run: async (board) => {
      const before = await calls(board);
      await board.need(`touch ${folder}/refuse && pkill -f '[p]ppd .*${carrier}:${device}'`);
      await disconnected(board);
      await board.eventually(60, async () => ensure((await calls(board)) > before, 'it was not called again'));
      await new Promise((resolve) => setTimeout(resolve, 20_000 * board.scale));
      const count = (await calls(board)) - before;
      ensure(count <= 4, `${count} calls`);
      await board.need(`rm ${folder}/refuse && nmcli --wait 120 connection up cellular`, { timeoutMs: 180_000 * board.scale });
      await connected(board);
      return `${count} calls in ${20 * board.scale} s and more`;
    },
  },
];
