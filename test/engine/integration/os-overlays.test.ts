import { beforeAll, expect, it } from 'vitest';

import { describeLab } from '../support/describe-lab.ts';

const binary = process.env['OSBUILD_ENGINE_BINARY'] ?? '';
const file = '/mnt/boot/minke/overlays.env';

interface Status {
  trial: boolean;
  overlayTrial: boolean;
  overlays: { name: string; applied: boolean; reason?: string }[];
}

describeLab('overlays of the device tree, with the folders of a device as mounts of the lab', (lab) => {
  const shell = (script: string): string => {
    const { code, stdout, stderr } = lab.run(['sh', '-ec', script]);
    if (code !== 0) throw new Error(`${script}: ${stdout}${stderr}`);
    return stdout;
  };
  // The host's name is the machine's: a name space of its own keeps it.
  const config = (...words: string[]) => lab.run(['unshare', '--uts', binary, 'os', 'config', ...words]);
  const status = (): Status => JSON.parse(lab.run([binary, 'os', 'status', '--format', 'json']).stdout) as Status;
  /** As boot.scr leaves things: what it wrote down, and what it says on the kernel's command line. */
  const started = (tries: string, words: string): void =>
    void shell(`mount -o remount,rw /mnt/boot; sed -i 's/^overlay_tries=.*/overlay_tries=${tries}/' ${file}; mount -o remount,ro /mnt/boot; echo 'quiet minke.slot=A ${words}' >/run/minke/cmdline`);

  beforeAll(() => {
    shell(`mount -t tmpfs tmpfs /mnt; mkdir -p /mnt/boot /mnt/data; mount -t tmpfs tmpfs /run; mkdir -p /run/minke /run/minke-config; mount -t tmpfs tmpfs /var/lib
      mount -t tmpfs tmpfs /mnt/boot; mkdir /mnt/boot/minke; touch /mnt/boot/boot.scr; echo '{}' >/mnt/boot/config.json; mount -o remount,ro /mnt/boot
      mkdir -p /run/over/upper/minke /run/over/work; mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/over/upper,workdir=/run/over/work /etc
      echo 'VERSION_ID="1.0"' >/run/minke/os-release; mount --bind /run/minke/os-release /etc/os-release; echo board >/run/minke/machine; echo A >/run/minke/slot
      printf 'root:*:1:0:99999:7:::\\n' >/run/minke/shadow; mount --bind /run/minke/shadow /etc/shadow
      echo quiet >/run/minke/cmdline; mount --bind /run/minke/cmdline /proc/cmdline`);
  });

  it('are refused, with a word, on a board without a device tree', () => {
    shell('mount -t tmpfs tmpfs /sys/firmware');
    expect(config('set', 'os.deviceTree.overlays', '["i2c-gpio"]')).toMatchObject({ code: 0, stderr: expect.stringContaining('not started by U-Boot with a device tree') });
    expect(status().overlays).toMatchObject([{ name: 'i2c-gpio', applied: false, reason: expect.stringContaining('U-Boot') }]);
    expect(config('unset', 'os.deviceTree.overlays')).toMatchObject({ code: 0, stderr: '' });
    expect(shell('ls /mnt/boot/minke')).toBe('');
    shell('mkdir -p /sys/firmware/devicetree/base');
  });

  it('are written for the boot loader, and the partition is read-only again', () => {
    expect(config('set', 'os.deviceTree.overlays', '["../x", "i2c-gpio"]')).toMatchObject({ code: 1, stderr: expect.stringContaining('os.deviceTree.overlays[0]: not the name of a file') });
    expect(config('set', 'os.deviceTree.overlays', '["uart1", "i2c-gpio"]')).toMatchObject({ code: 0, stderr: '' });
    expect(shell(`tr '\\000' E <${file}`)).toMatch(/^overlay_before=\S+\noverlay_tries=1\noverlays=uart1 i2c-gpio\nE$/);
    expect(shell('findmnt -n -o OPTIONS /mnt/boot')).toMatch(/^ro,/);
    expect(lab.run([binary, 'os', 'status']).stdout).toMatch(/^overlay: {2}uart1: not applied, the next start tries it/m);
  });

  it('are kept when the start with them works', () => {
    shell('mount -o remount,rw /mnt/boot; sed -i s/^overlay_before=.*/overlay_before=none/ /mnt/boot/minke/overlays.env; mount -o remount,ro /mnt/boot');
    started('0', 'minke.trial minke.overlays=:i2c-gpio minke.overlays-refused=:uart1');
    expect(status()).toMatchObject({ trial: false, overlayTrial: true, overlays: [{ name: 'uart1', applied: false, reason: expect.stringContaining('overlays/uart1.dtbo') }, { name: 'i2c-gpio', applied: true }] });
    expect(lab.run([binary, 'os', 'settle', '--patience', '1'])).toMatchObject({ code: 0, stdout: expect.stringContaining('uart1, i2c-gpio') });
    expect(shell(`grep -a overlay_tries ${file}; ls /run/minke/kept; findmnt -n -o OPTIONS /mnt/boot`)).toMatch(/^overlay_tries=kept\n\/run\/minke\/kept\nro,/);
    expect(lab.run([binary, 'os', 'status']).stdout).toMatch(/^overlay: {2}i2c-gpio: applied$/m);
  });

  it('that were tried and not kept are told of', () => {
    config('set', 'os.deviceTree.overlays', '["bad"]');
    started('0', '');
    expect(status().overlays).toMatchObject([{ name: 'bad', applied: false, reason: expect.stringContaining('did not prove to work') }]);
    expect(lab.run([binary, 'os', 'settle', '--patience', '1']).code).toBe(0);
    expect(config('unset', 'os.deviceTree.overlays')).toMatchObject({ code: 0, stderr: '' });
    expect(shell('ls /mnt/boot/minke')).toBe('');
    expect(status().overlays).toEqual([]);
  });
});
