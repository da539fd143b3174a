import { describe, expect, it } from 'vitest';
import { describeDelta, formatDeltaConfig, type DeltaDescription } from '../../../src/engine/delta/delta-image.ts';
import { parseImageConfig } from '../../../src/engine/images/image-config.ts';

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
const target = parseImageConfig(JSON.stringify({ architecture: 'arm', variant: 'v7', os: 'linux', created: '2024-01-02T03:04:05Z', config: { Cmd: ['sh'], Labels: { own: 'label' } }, rootfs: { type: 'layers', diff_ids: [digest('1'), digest('2')] } }));
const description: DeltaDescription = { baseId: digest('b'), baseDiffIds: [digest('1'), digest('3')], targetId: digest('c'), format: 'oci' };

describe('delta images', () => {
  it('say in labels what they are for, and run nothing', () => {
    const config = parseImageConfig(formatDeltaConfig(target, description, digest('d')));
    expect(describeDelta(config)).toEqual(description);
    expect(config).toMatchObject({ architecture: 'arm', variant: 'v7', os: 'linux', created: '2024-01-02T03:04:05Z', rootfs: { diff_ids: [digest('d')] } });
    expect(config.config?.Cmd).toBeUndefined();
    expect(describeDelta(parseImageConfig(formatDeltaConfig(target, { ...description, baseDiffIds: [] }, digest('d'))))?.baseDiffIds).toEqual([]);
  });

  it('are no other images', () => {
    expect(describeDelta(target)).toBeUndefined();
  });

  it('are refused when they are of another version or say nonsense', () => {
    const text = formatDeltaConfig(target, description, digest('d'));
    expect(() => describeDelta(parseImageConfig(text.replace('"dev.minke.delta":"2"', '"dev.minke.delta":"1"')))).toThrow('has format "1", and this engine knows 2');
    expect(() => describeDelta(parseImageConfig(text.replace(digest('3'), 'sha256:3')))).toThrow('labels do not say');
  });
});
