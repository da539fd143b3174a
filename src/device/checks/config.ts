import type { Board } from '../board.ts';
import { ensure, type BootCheck } from './check.ts';

const file = '/mnt/boot/config.json';

/** Process ids of services that no change of these checks may restart but the one named. */
const bystanders = ['NetworkManager', 'minke', 'chrony', 'avahi-daemon', 'dnsmasq', 'dbus'];
const pids = async (board: Board, but: readonly string[]): Promise<string> =>
  (await board.need(bystanders.filter((unit) => !but.includes(unit)).map((unit) => `echo ${unit} $(systemctl show -P MainPID ${unit}.service)`).join('; '))).trim();

interface Setting {
  key: string;
  value: unknown;
  /** Services that may start anew. */
  restarts?: readonly string[];
  /** Fails unless the value counts. */
  script: string;
}

const settings: readonly Setting[] = [
  { key: 'hostname', value: 'boot-test-other', restarts: ['avahi-daemon'], script: '[ "$(hostname)" = boot-test-other ] && [ "$(cat /etc/hostname)" = boot-test-other ]' },
  { key: 'ntpServers', value: ['192.0.2.123'], script: 'chronyc -n sources | grep -q 192.0.2.123' },
  { key: 'dnsServers', value: ['192.0.2.53'], restarts: ['dnsmasq'], script: 'grep -qx server=192.0.2.53 /run/minke-dns/config.conf' },
  { key: 'persistentLogging', value: true, script: 'findmnt -n -T /var/log/journal -o SOURCE | grep -q journal && ls /mnt/data/journal/*/system.journal' },
  { key: 'os.journal.memoryMegabytes', value: 8, script: 'grep -q RuntimeMaxUse=8M /run/systemd/journald.conf.d/50-minke-config.conf' },
  { key: 'os.watchdog.seconds', value: 20, script: '[ "$(systemctl show -P RuntimeWatchdogUSec)" = 20s ]' },
  { key: 'os.firewall', value: { enabled: true, allow: ['8080/tcp'] }, script: 'nft list chain inet minke_host input | grep -q "policy drop" && nft list chain inet minke_host input | grep -q "tcp dport 8080 accept"' },
  { key: 'os.udevRules.99-boot-test', value: 'ACTION=="change", KERNEL=="null", RUN+="/bin/touch /run/boot-test-udev"\n', script: 'test -e /run/boot-test-udev' },
  { key: 'proxy.http', value: 'http://192.0.2.3:3128', restarts: ['minke'], script: 'tr "\\0" "\\n" </proc/$(systemctl show -P MainPID minke.service)/environ | grep -qx HTTP_PROXY=http://192.0.2.3:3128' },
  { key: 'engine.labels', value: ['boot-test=1'], restarts: ['minke'], script: 'minke info | grep -q boot-test=1' },
  { key: 'os.network.wifi.randomMacAddressScan', value: false, script: 'NetworkManager --print-config | grep -A 3 device-minke-config | grep -q wifi.scan-rand-mac-address=no' },
];

const applies = ({ key, value, restarts = [], script }: Setting): BootCheck => ({
  name: `config: ${key} counts at once, goes again, and disturbs nothing else`,
  run: async (board) => {
    const before = await pids(board, restarts);
    ensure((await board.sh(script)).status !== 0, 'it is so already');
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    await board.need(`minke os config set ${key} '${text.replaceAll("'", "'\\''")}'`, { timeoutMs: 120_000 * board.scale });
    await board.eventually(30, () => board.need(script));
    // Later stages know the board by the name that it was given.
    await board.need(key === 'hostname' ? `minke os config set hostname ${board.hostname}` : `minke os config unset ${key}`, { timeoutMs: 120_000 * board.scale });
    if (key !== 'os.udevRules.99-boot-test') await board.eventually(30, async () => ensure((await board.sh(script)).status !== 0, 'it still counts'));
    const after = await pids(board, restarts);
    ensure(after === before, `services before: ${before}; after: ${after}`);
  },
});

/** Every key of config.json that an emulated board can show. */
export const configChecks: readonly BootCheck[] = [
  ...settings.map(applies),
  {
    name: 'config: an edit by hand is seen',
    run: async (board) => {
      await board.need(`mount -o remount,rw /mnt/boot && jq '.ntpServers = ["192.0.2.124"]' ${file} >/run/config.new && cat /run/config.new >${file}; sync; mount -o remount,ro /mnt/boot`);
      await board.eventually(30, () => board.need('chronyc -n sources | grep -q 192.0.2.124'));
    },
  },
];

/** Leaves the boot partition's file as a script makes it of what is there. */
const spoil = (what: string, script: string): BootCheck => ({
  name: `config: the file is ${what}`,
  run: async (board) => void (await board.need(`mount -o remount,rw /mnt/boot && { ${script}; }; sync; mount -o remount,ro /mnt/boot; ls -la /mnt/boot`)),
});

export const halfAFile = spoil('cut off in the middle', `head -c 60 ${file} >/run/half && cat /run/half >${file}`);
export const wrongValues = spoil('whole, and wrong in all that matters', `printf '%s' '{"hostname":"Not A Name","os":{"sshKeys":["no key"],"watchdog":{"seconds":-1}},"ntpServers":7,"colour":"blue"}' >${file}`);
export const noFile = spoil('taken away', `rm ${file}`);

/** The last good values count, and the board says what it thinks of the file. */
export const lastGood = (stage: string, complaint: RegExp): BootCheck => ({
  name: `${stage}: the last good values count, and it is said what is wrong`,
  run: async (board) => {
    const name = (await board.need('hostname')).trim();
    ensure(name === board.hostname, `the board is called ${name}`);
    const said = await board.need('cat /run/minke-config/complaints');
    ensure(complaint.test(said), `the complaints are ${JSON.stringify(said)}`);
    ensure((await board.sh('minke os config check')).status === 1, 'minke os config check finds nothing wrong');
    await board.need('systemctl is-active minke-config.service minke.service NetworkManager.service');
    return said.trim().replaceAll('\n', '; ');
  },
});
