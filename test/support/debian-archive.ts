import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** One package of a test archive. */
export interface TestPackage {
  name: string;
  version?: string;
  architecture?: string;
  /** Further control fields, such as Depends. */
  fields?: Record<string, string>;
  /** Path in the package → content; `-> target` for a symbolic link, `=> path` for a hard link. */
  files?: Record<string, string>;
  scripts?: Record<string, string>;
  /** Which suite carries it, by the end of its name: '' (the usual), '-updates', '-security', '-backports'. */
  suite?: string;
}

/** One source package of a test archive: file name → content. */
export interface TestSource {
  name: string;
  version: string;
  files: Record<string, string>;
}

/** A signed Debian archive in memory, as path below its root → content. Made with dpkg-deb and a throw-away key. */
export interface TestArchive {
  files: Map<string, Buffer>;
  keyring: string;
}

/** Whether this machine can make test archives: gpg is not among what the product needs. */
export function canMakeArchives(): boolean {
  try {
    execFileSync('gpg', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const architectures = ['amd64', 'arm64', 'armhf', 'armel', 'i386'];

/** Builds the packages in `folder` and signs its suites with the key in `keyFolder`, which is made when there is none. */
export function makeArchive(folder: string, keyFolder: string, packages: TestPackage[], suite = 'trixie', sources: TestSource[] = []): TestArchive {
  const files = new Map<string, Buffer>();
  const stanzas = packages.map((item) => addPackage(folder, item, files));
  const home = path.join(keyFolder, 'gnupg');
  mkdirSync(home, { recursive: true });
  chmodSync(home, 0o700);
  const gpg = (args: string[], input?: string): Buffer => execFileSync('gpg', ['--homedir', home, '--batch', '--yes', '--pinentry-mode', 'loopback', '--passphrase', '', ...args], { stdio: ['pipe', 'pipe', 'ignore'], ...(input === undefined ? {} : { input }) });
  const keyring = path.join(keyFolder, 'archive.gpg');
  try {
    readFileSync(keyring);
  } catch {
    gpg(['--quick-generate-key', 'Test archive <test@example.org>', 'rsa2048', 'sign', 'never']);
    writeFileSync(keyring, gpg(['--export']));
  }
  for (const name of ['', '-updates', '-security', ...new Set(stanzas.map((stanza) => stanza.suite).filter((ending) => ending === '-backports'))].map((ending) => `${suite}${ending}`)) {
    const sums: string[] = [];
    for (const architecture of architectures) {
      const text = stanzas.filter((stanza) => `${suite}${stanza.suite}` === name && (stanza.architecture === architecture || stanza.architecture === 'all')).map(({ text: body }) => body).join('\n');
      const place = `main/binary-${architecture}/Packages`;
      files.set(`dists/${name}/${place}`, Buffer.from(text));
      sums.push(` ${sha256(Buffer.from(text))} ${Buffer.byteLength(text)} ${place}`);
    }
    const text = name === suite ? sources.map((item) => addSource(item, files)).join('\n') : '';
    files.set(`dists/${name}/main/source/Sources`, Buffer.from(text));
    sums.push(` ${sha256(Buffer.from(text))} ${Buffer.byteLength(text)} main/source/Sources`);
    const release = [`Origin: Debian`, `Suite: stable`, `Codename: ${name}`, ...(name.endsWith('-backports') ? ['NotAutomatic: yes', 'ButAutomaticUpgrades: yes'] : []), 'Date: Sun, 01 Nov 2026 00:00:00 UTC', `Architectures: all ${architectures.join(' ')}`, 'Components: main', 'No-Support-for-Architecture-all: Packages', 'SHA256:', ...sums, ''].join('\n');
    files.set(`dists/${name}/InRelease`, gpg(['--clearsign'], release));
  }
  execFileSync('gpgconf', ['--homedir', home, '--kill', 'gpg-agent']);
  return { files, keyring };
}

/** Builds one package with dpkg-deb; the same description gives the same bytes. */
export function buildPackage(folder: string, item: TestPackage): { file: string; content: Buffer; control: string } {
  const { name, version = '1.0', architecture = 'all', fields = {}, scripts = {} } = item;
  const root = path.join(folder, 'packages', `${name}_${version}_${architecture}`);
  mkdirSync(path.join(root, 'DEBIAN'), { recursive: true });
  const control = [`Package: ${name}`, `Version: ${version}`, `Architecture: ${architecture}`, 'Maintainer: Test <test@example.org>', ...Object.entries(fields).map(([key, value]) => `${key}: ${value}`), 'Description: test'].join('\n');
  writeFileSync(path.join(root, 'DEBIAN/control'), `${control}\n`);
  for (const [script, text] of Object.entries(scripts)) writeFileSync(path.join(root, 'DEBIAN', script), text, { mode: 0o755 });
  for (const [place, text] of Object.entries(item.files ?? {})) {
    mkdirSync(path.dirname(path.join(root, place)), { recursive: true });
    if (text.startsWith('-> ')) execFileSync('ln', ['-sfn', text.slice(3), path.join(root, place)]);
    else if (text.startsWith('=> ')) execFileSync('ln', ['-f', path.join(root, text.slice(3)), path.join(root, place)]);
    else writeFileSync(path.join(root, place), text, { mode: place.includes('bin/') ? 0o755 : 0o644 });
  }
  const file = path.join(folder, `${name}_${version}_${architecture}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', root, file], { stdio: 'ignore', env: { ...process.env, SOURCE_DATE_EPOCH: '1700000000' } });
  return { file, content: readFileSync(file), control };
}

function addSource({ name, version, files: content }: TestSource, files: Map<string, Buffer>): string {
  const listed = Object.entries(content).map(([file, text]) => {
    files.set(`pool/main/${name}/${file}`, Buffer.from(text));
    return ` ${sha256(Buffer.from(text))} ${Buffer.byteLength(text)} ${file}`;
  });
  return [`Package: ${name}`, `Binary: ${name}`, `Version: ${version}`, 'Architecture: any', 'Format: 3.0 (quilt)', `Directory: pool/main/${name}`, 'Checksums-Sha256:', ...listed, ''].join('\n');
}

function addPackage(folder: string, item: TestPackage, files: Map<string, Buffer>): { architecture: string; suite: string; text: string } {
  const { name, version = '1.0', architecture = 'all' } = item;
  const { content, control } = buildPackage(folder, item);
  const filename = `pool/main/${name}/${name}_${version}_${architecture}.deb`;
  files.set(filename, content);
  return { architecture, suite: item.suite ?? '', text: `${control}\nFilename: ${filename}\nSize: ${content.length}\nSHA256: ${sha256(content)}\n` };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
