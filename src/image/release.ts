import type { Verity } from '../engine/verity/index.ts';
import { ociPlatforms, type Arch } from '../model/index.ts';

/** Label of an OS image's configuration that holds its `Release` as JSON. */
export const releaseLabel = 'io.minke.os.release';

/** Label that holds signatures of the text in `releaseLabel`: a JSON list of base64. */
export const signaturesLabel = 'io.minke.os.signatures';

/** What a device has to know of an update before it writes anything. The device's reader: src/engine/os/release.ts. */
export interface Release {
  /** 2: the slot's kernel is a unified one (`unified`), which older devices would start without its initrd. */
  format: 1 | 2;
  machine: string;
  os: { name: string; id: string; version: string };
  mode: string;
  /** Kernel parameters, for loaders that keep them outside of the slot's folder. */
  commandLine: string[];
  loader: 'systemd-boot' | 'u-boot';
  /** The root file system: `argv` makes it on the device, of the first layer's archive on standard input, into the file whose path is added. `verity`: the hash tree that the device makes behind it, as the builder has made it. */
  slot: { argv: string[]; sha256: string; sizeBytes: number; verity: Verity };
  /** Kernel, initrd and command lines are one signed program; SHA-256 of the certificate (DER) that the firmware has to know for it. */
  unified?: { certificate: string };
  /** SHA-256 of the layers' archives: the root, and the files of the slot's folder on the boot partition (below boot/). */
  layers: { root: string; boot: string };
}

/** The configuration of an OS image (OCI image specification). */
export function releaseConfig(release: Release, arch: Arch, epoch: number, sign: (text: string) => string[] = () => []): string {
  const created = new Date(epoch * 1000).toISOString();
  const text = JSON.stringify(release);
  const signatures = sign(text);
  return JSON.stringify({
    created,
    ...ociPlatforms[arch],
    os: 'linux',
    config: { Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'], Labels: { 'org.opencontainers.image.title': release.os.name, 'org.opencontainers.image.version': release.os.version, [releaseLabel]: text, ...(signatures.length === 0 ? {} : { [signaturesLabel]: JSON.stringify(signatures) }) } },
    rootfs: { type: 'layers', diff_ids: [`sha256:${release.layers.root}`, `sha256:${release.layers.boot}`] },
    history: [{ created, created_by: 'osbuild: root' }, { created, created_by: 'osbuild: boot' }],
  });
}
