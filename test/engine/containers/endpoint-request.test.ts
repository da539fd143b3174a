import { describe, expect, it } from 'vitest';
import { parseEndpoint, parseLinkText } from '../../../src/engine/containers/endpoint-request.ts';
import { createFields } from '../../../src/engine/containers/fields.ts';

const parse = (body: unknown) => parseEndpoint(createFields(body, 'EndpointConfig'));

describe('what a client asks of a place on a network', () => {
  it('is read', () => {
    expect(parseEndpoint(undefined)).toEqual({});
    expect(parse({ IPAMConfig: { IPv4Address: '10.0.0.9' }, Aliases: ['a'], Links: ['db:store'], MacAddress: '02:00:00:00:00:01', Gateway: '' })).toEqual({
      IPAMConfig: { IPv4Address: '10.0.0.9' }, Aliases: ['a'], Links: ['db:store'], MacAddress: '02:00:00:00:00:01',
    });
  });

  it.each([
    [{ Aliases: 'web' }, 'EndpointConfig.Aliases'], [{ IPAMConfig: [] }, 'EndpointConfig.IPAMConfig'], [{ IPAMConfig: { IPv4Address: 7 } }, 'IPv4Address'], [{ MacAddress: {} }, 'MacAddress'],
    [{ IPAMConfig: { IPv6Address: 'fd00:::2' } }, 'invalid IPv6 address'], [{ Links: ['a:b:c'] }, 'bad format for links'],
  ])('is refused: %j', (body, reason) => {
    expect(() => parse(body)).toThrow(reason);
  });
});

describe('a link', () => {
  it.each([['db', 'db', 'db'], ['db:store', 'db', 'store'], ['/db:/store', 'db', 'store']])('%s', (text, container, alias) => {
    expect(parseLinkText(text)).toEqual({ container, alias });
  });

  it.each(['', ':', 'a:', ':b', 'a:b:c'])('is none: %j', (text) => {
    expect(() => parseLinkText(text)).toThrow('bad format');
  });
});
