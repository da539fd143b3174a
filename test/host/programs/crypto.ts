import { concat, encode, fromHex, hex } from 'host:bytes';
import { randomBytes, randomHex, sha1, Sha256, sha256, sha256File, sha256Implementation, sha256Implementations, sha256With, verifySignature } from 'host:crypto';
import * as fs from 'host:fs';
import { check, equal, fails, noise, ok, rejects } from './check.ts';

/** Public keys, and signatures of 'a release' by their owners: by OpenSSL, of keys that were thrown away. */
export const SIGNED = [
  ['-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxmqym8ORl940VFL3xI18\nCD/mdI7S2rHxX7a0tUr/W3evhKUc3lx/apUycM5k7XCwAWpRw32TkTWVhitJQ4VW\nT+6qOE6Cc+qFeoXCNywdWWImlJbCtzryZINlb4kRD6Yw4o4TcyGDDqV+WGZgbyF4\nHCq6IITGdn30lAilF8oNL/TX4CfIqqEqcUo6NpKWR0gWUKI/FtILPdb5Jad7c2e8\ni1JIfZ24ZqubioieCJRoKmWTvKkJ54Z4JzyICKMy/09ZIbl30tLSkKSPXYvKqokA\no4mA7sGUajxXemDEXFpOEHG6HOK3VVrZvFR3mBQTKUlm1nLoWaKi6Pzrpxndxxln\n8wIDAQAB\n-----END PUBLIC KEY-----\n',
    '3d91a156b67b02f7441535968b9797909357c6c9d08a39b757ae1afd13b1b0e0cc883ab8dedfafcde0eeb1d04754ced7eeb05a1d6e8260f61d1b9c4e3ec8f44851e7c3285e15ef5c868f56275a916460a5ab193dea662ec7c29f471b74e7f3280321cd625de943cada3a9b3f978b535c9753b79e56ab5e820ad16014b74e4f7d109413a4cdde555d1b6bed01f3d5eba5fc74289933f5523b28b0bc9759e69e9180a579ed092c1f9b33af521b4d5ae6c935ddb329c46d0f60c263092265eacd7e16880cefad247729a5e4c2836f93ab354eada8be8fe1c369838a1e7230e2f6eb6b8c46caec0099d0cebb00564dbc2fa5e24b87aa6c57e4aa776b5d1cc27ac5cc'],
  ['-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJhJQGX7HVKuDg9EU4/gshr1lvX/n\nlLMUBy8nLoerY0MGzBX8vYs3g7mx9HukMedFSHvNS+efPLgE98UMr5hnYg==\n-----END PUBLIC KEY-----\n',
    '30450220264e56231058bf1241e1f75258fb591a46fefc205d36266f3688be0f8fc7d93802210082be2ac05dbfde2c78ac68651d3fa3d55f07102a896be6b3c12215a65d0e28a6'],
] as const;

export async function cryptoProgram([folder = '/tmp']: string[]): Promise<void> {
  await check('SHA-256 of the vectors of FIPS 180-4', () => {
    equal(sha256(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    equal(sha256('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    equal(sha256('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'), '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1');
    const million = new Sha256();
    for (let i = 0; i < 1000; i++) million.update('a'.repeat(1000));
    equal(million.hex(), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0');
  });
  await check('SHA-1 of the vector of FIPS 180-4', () => equal(sha1('abc'), 'a9993e364706816aba3e25717850c26c9cd0d89d'));
  await check('all implementations agree at every length around the block size', () => {
    const names = sha256Implementations();
    ok(names.includes('portable') && names.includes(sha256Implementation), `${names.join(' ')} with ${sha256Implementation} in use`);
    const data = noise(1000);
    for (const size of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 191, 192, 1000])
      for (const name of names) equal(sha256With(name, data.subarray(0, size)), sha256With('portable', data.subarray(0, size)), `${name} of ${size} bytes`);
    fails('ENOSYS', () => sha256With('abacus', data));
  });
  await check('pieces of any size give the same hash', () => {
    const data = noise(10_000, 7);
    for (const step of [1, 3, 63, 64, 65, 1000]) {
      const hash = new Sha256();
      for (let at = 0; at < data.length; at += step) hash.update(data.subarray(at, at + step));
      equal(hash.hex(), sha256(data), `steps of ${step}`);
    }
  });
  await check('pieces that the pool adds come in order, and nothing comes between', async () => {
    const data = noise(300_000, 5);
    const hash = new Sha256().update(data.subarray(0, 100));
    for (let at = 100; at < data.length; at += 60_000) {
      const added = hash.updateLater(data.subarray(at, at + 60_000));
      fails('EBUSY', () => hash.update(''));
      fails('EBUSY', () => hash.hex());
      fails('EBUSY', () => hash.updateLater(data));
      await added;
    }
    equal(hash.hex(), sha256(data));
    // Nobody holds it, and its bytes, but the job.
    await new Sha256().updateLater(noise(200_000, 6));
    const others = Array.from({ length: 20 }, () => new Sha256());
    await Promise.all(others.map((other) => other.updateLater(data)));
    for (const other of others) equal(other.hex(), sha256(data));
  });
  await check('a saved state goes on', () => {
    const data = noise(1000, 9);
    for (const cut of [0, 1, 64, 100, 999]) {
      const saved = new Sha256().update(data.subarray(0, cut)).save();
      equal(Sha256.restore(saved).update(data.subarray(cut)).hex(), sha256(data), `cut at ${cut}`);
    }
    fails('EINVAL', () => Sha256.restore(new Uint8Array(112)));
  });
  await check('hex leaves the hash open and digest has the same bytes', () => {
    const hash = new Sha256().update('ab');
    equal(hash.hex(), sha256('ab'));
    equal(hex(hash.update('c').digest()), sha256('abc'));
  });
  await check('a file is hashed on the pool, its position kept', async () => {
    const path = `${folder}/hash-me`;
    const data = concat([noise(700_000, 3), noise(1, 4)]);
    fs.writeFile(path, data);
    equal(await sha256File(path), { hex: sha256(data), sizeBytes: 700_001 });
    const fd = fs.open(path);
    fs.seek(fd, 10);
    const pending = sha256File(fd);
    fs.close(fd); // it has a copy of its own
    equal((await pending).hex, sha256(data));
    await rejects('ENOENT', sha256File(`${path}-not`));
    fails('EBADF', () => sha256File(987));
  });
  await check('signatures of RSA and ECDSA hold for the message and its owner alone', () => {
    for (const [key, signature] of SIGNED) {
      const bytes = fromHex(signature);
      ok(verifySignature(key, 'a release', bytes), 'holds');
      ok(verifySignature(key, encode('a release'), bytes), 'of bytes as well');
      ok(!verifySignature(key, 'another', bytes), 'of another message');
      ok(!verifySignature(key, 'a release', bytes.subarray(1)), 'cut short');
      ok(!verifySignature(key, 'a release', new Uint8Array(0)), 'empty');
      bytes[20] = (bytes[20] ?? 0) ^ 1;
      ok(!verifySignature(key, 'a release', bytes), 'with a flipped bit');
    }
    ok(!verifySignature(SIGNED[0][0], 'a release', fromHex(SIGNED[1][1])), 'of the other kind of key');
    fails('EINVAL', () => verifySignature('no key', 'a', new Uint8Array(1)));
    fails('EINVAL', () => verifySignature('', 'a', new Uint8Array(1)));
  });
  await check('random bytes', () => {
    equal(randomBytes(0).length, 0);
    equal(randomBytes(65536).length, 65536);
    ok(/^[0-9a-f]{64}$/.test(randomHex(32)), 'hexadecimal');
    ok(randomHex(32) !== randomHex(32), 'two differ');
    ok(new Set(randomBytes(4096)).size > 200, 'most byte values occur');
  });
}
