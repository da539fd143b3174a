import { concat, hex } from 'host:bytes';
import { randomBytes, randomHex, sha1, Sha256, sha256, sha256File, sha256Implementation, sha256Implementations, sha256With } from 'host:crypto';
import * as fs from 'host:fs';
import { check, equal, fails, noise, ok, rejects } from './check.ts';

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
  await check('random bytes', () => {
    equal(randomBytes(0).length, 0);
    equal(randomBytes(65536).length, 65536);
    ok(/^[0-9a-f]{64}$/.test(randomHex(32)), 'hexadecimal');
    ok(randomHex(32) !== randomHex(32), 'two differ');
    ok(new Set(randomBytes(4096)).size > 200, 'most byte values occur');
  });
}
