import { expect, it } from 'vitest';
import { describeLab } from '../support/describe-lab.ts';
import { IMAGE, leftovers, waitFor } from '../support/lab.ts';

describeLab('docker commit', (lab) => {
  const made = (script: string, ...options: string[]): string => {
    const id = lab.ok('create', ...options, IMAGE, 'sh', '-c', script);
    lab.ok('start', '-a', id);
    return id;
  };

  it('keeps what was written, removed and replaced, with owners, modes, times and links', () => {
    const script = [
      'mkdir -p /new/deep; echo text > /new/deep/file; chown 12:34 /new/deep/file; chmod 4750 /new/deep/file; touch -d "2001-02-03 04:05:06" /new/deep/file; ln -s deep/file /new/link; mkfifo /new/pipe',
      'head -c 3000000 /dev/urandom > /new/big; sha256sum /new/big > /new/sum; : > /new/empty',
      'rm /var/www/index.html; rm -rf /data; mkdir /data; echo other > /data/fresh; mkdir /gone; rmdir /gone',
    ].join('; ');
    const id = made(script);
    const image = lab.ok('commit', '-m', 'with text', '-a', 'Some One', id, 'made:one');
    expect(image).toMatch(/^sha256:[0-9a-f]{64}$/);
    lab.ok('rm', id);
    const check = 'stat -c "%a %u:%g %Y" /new/deep/file; cat /new/link; test -p /new/pipe && sha256sum -c /new/sum; ls -A /var/www /data; stat -c %s /new/empty; cat /etc/hosts | grep -c localhost';
    expect(lab.ok('run', '--rm', 'made:one', 'sh', '-c', check)).toBe('4750 12:34 981173106\ntext\n/new/big: OK\n/data:\nfresh\n\n/var/www:\n0\n2');
    expect(lab.ok('history', '--format', '{{.Comment}}', 'made:one').split('\n')[0]).toBe('with text');
    expect(lab.ok('inspect', '-f', '{{.Author}} [{{.Config.Hostname}}] {{json .Config.Cmd}}', 'made:one')).toBe(`Some One [] ${JSON.stringify(['sh', '-c', script])}`);
    expect(lab.ok('run', '--rm', IMAGE, 'ls', '/var/www')).toBe('index.html');
  });

  it('takes the configuration of the container, and changes', () => {
    const id = made('true', '-e', 'A=1', '-e', 'B=2', '-w', '/tmp', '--label', 'own=x');
    lab.ok('commit', '-c', 'ENV A=3', '-c', 'ENTRYPOINT ["echo", "said"]', '-c', 'LABEL more=y', '-c', 'EXPOSE 80', id, 'made:two');
    expect(lab.ok('inspect', '-f', '{{json .Config.Env}} {{.Config.WorkingDir}} {{json .Config.Labels}} {{json .Config.ExposedPorts}} {{json .Config.Cmd}}', 'made:two')).toBe(
      '["B=2","A=3"] /tmp {"more":"y","own":"x"} {"80/tcp":{}} null',
    );
    expect(lab.ok('run', '--rm', 'made:two', 'it')).toBe('said it');
    expect(lab.docker('commit', '-c', 'RUN x', id).stderr).toContain('is not a change');
    expect(lab.docker('commit', 'nobody', 'x').stderr).toContain('No such container: nobody');
    lab.ok('rm', id);
  });

  it('of nothing at all, several times over, still makes images that run', () => {
    let image = IMAGE;
    for (let round = 0; round < 3; round++) {
      const id = lab.ok('create', image, 'sh', '-c', 'cat /var/www/index.html');
      image = lab.ok('commit', id);
      lab.ok('rm', id);
    }
    expect(lab.ok('run', '--rm', image)).toBe('hello from minke');
    lab.ok('image', 'prune', '-f');
  });

  it('of a running container lets it stand still meanwhile and go on', async () => {
    lab.ok('run', '-d', '--name', 'busy', '-v', '/vol', IMAGE, 'sh', '-c', 'echo in > /vol/x; i=0; while true; do i=$((i+1)); echo $i > /next; mv /next /count; done');
    await waitFor(() => lab.docker('exec', 'busy', 'cat', '/count').stdout !== '');
    lab.ok('commit', 'busy', 'made:live');
    expect(lab.ok('inspect', '-f', '{{.State.Status}}', 'busy')).toBe('running');
    const before = lab.ok('exec', 'busy', 'cat', '/count');
    await waitFor(() => lab.ok('exec', 'busy', 'cat', '/count') !== before);
    expect(lab.ok('run', '--rm', 'made:live', 'sh', '-c', 'test -s /count || echo cut; ls /vol')).toBe('');
    lab.ok('rm', '-f', '-v', 'busy');
  });

  it('leaves nothing behind', async () => {
    lab.ok('rmi', '-f', 'made:one', 'made:two', 'made:live');
    expect(lab.ok('images', '-q').split('\n')).toHaveLength(1);
    await waitFor(() => leftovers(lab).length === 0);
    await waitFor(() => lab.run(['ls', `${lab.dataRoot}/tmp`]).stdout === '');
    expect(lab.run(['ls', `${lab.dataRoot}/layers`]).stdout.trim().split('\n')).toHaveLength(1);
  });
});
