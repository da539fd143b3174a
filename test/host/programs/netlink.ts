import { cString, concat } from 'host:bytes';
import * as fs from 'host:fs';
import { inNetns, netlink } from 'host:net';
import { spawn } from 'host:process';
import { check, equal, fails, ok, rejects, sleep } from './check.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const NLM_F_CREATE = 0x400;
const NLM_F_EXCL = 0x200;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;

/** Messages in the processor's byte order, which is little endian wherever we run. */
function message(type: number, flags: number, sequence: number, ...parts: Uint8Array[]): Uint8Array {
  const body = concat(parts);
  const out = new Uint8Array(16 + body.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, out.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  out.set(body, 16);
  return out;
}
function attribute(type: number, value: Uint8Array | string): Uint8Array {
  const body = typeof value === 'string' ? new Uint8Array([...value].map((c) => c.charCodeAt(0)).concat(0)) : value;
  const out = new Uint8Array((4 + body.length + 3) & ~3);
  const view = new DataView(out.buffer);
  view.setUint16(0, 4 + body.length, true);
  view.setUint16(2, type, true);
  out.set(body, 4);
  return out;
}
const header = new Uint8Array(16); // ifinfomsg

function linkName(reply: Uint8Array): string {
  const view = new DataView(reply.buffer, reply.byteOffset);
  for (let at = 32; at + 4 <= reply.length; at += (view.getUint16(at, true) + 3) & ~3)
    if ((view.getUint16(at + 2, true) & 0x3fff) === IFLA_IFNAME) return cString(reply, at + 4, at + view.getUint16(at, true));
  return '';
}

export async function netlinkProgram(): Promise<void> {
  const sleeper = spawn({ argv: ['unshare', '--net', 'sleep', '1000'] });
  const netns = `/proc/${sleeper.pid}/ns/net`;
  const ours = fs.readlink('/proc/self/ns/net');
  while (fs.readlink(netns) === ours) await sleep(5);
  const there = netlink(0, { netns });

  await check('the links of a fresh namespace', () => {
    const replies = there.request(message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, header));
    const names = replies.map(linkName);
    ok(names.includes('lo') && !names.includes('eth0'), names.join());
    equal(fs.readlink('/proc/self/ns/net'), ours, 'we stayed at home');
    equal(fs.readlink('/proc/thread-self/ns/net'), ours);
  });
  await check('one message, with its acknowledgement', () => {
    const replies = there.request(message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, 2, header, attribute(IFLA_IFNAME, 'lo')));
    equal(replies.length, 1);
    equal(linkName(replies[0] ?? new Uint8Array()), 'lo');
  });
  await check('refusals name the message and the reason', () => {
    const error = fails('ENODEV', () => there.request(message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, 33, header, attribute(IFLA_IFNAME, 'nope'))));
    equal(error.path, '33');
    equal(error.syscall, 'netlink');
    const wrong = fails('ERANGE', () => there.request(message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, 34, header, attribute(IFLA_IFNAME, 'a-name-that-is-longer-than-any-interface'))));
    ok(/Attribute failed policy validation/.test(wrong.message), `with the kernel's words: ${wrong.message}`);
  });
  const bridge = attribute(IFLA_LINKINFO, attribute(1, 'bridge'));
  await check('several messages at once, making and removing', () => {
    const make = (name: string, sequence: number): Uint8Array =>
      message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sequence, header, attribute(IFLA_IFNAME, name), bridge);
    equal(there.request(concat([make('br-a', 4), make('br-b', 5)])), []);
    const names = there.request(message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 6, header)).map(linkName);
    ok(names.includes('br-a') && names.includes('br-b'), names.join());
    equal(fails('EEXIST', () => there.request(concat([make('br-c', 7), make('br-a', 8)]))).path, '8');
    there.request(message(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, 9, header, attribute(IFLA_IFNAME, 'br-b')));
    ok(!there.request(message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 10, header)).map(linkName).includes('br-b'), 'removed');
  });
  await check('malformed requests do not reach the kernel', () => {
    fails('EINVAL', () => there.request(new Uint8Array(7)));
    fails('EINVAL', () => there.request(message(RTM_GETLINK, NLM_F_REQUEST, 1, header)));
    const lying = message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_ACK, 1, header);
    lying[0] = 200;
    fails('EINVAL', () => there.request(lying));
  });
  await check('events', async () => {
    const events = netlink(0, { netns, groups: 1 });
    const next = events.receive();
    there.request(message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 11, header, attribute(IFLA_IFNAME, 'br-event'), bridge));
    equal(linkName(await next), 'br-event');
    const last = rejects('ECANCELED', events.receive());
    events.close();
    await last;
  });
  await check('a function in the namespace', () => {
    equal(inNetns(netns, () => fs.readlink('/proc/thread-self/ns/net')), fs.readlink(netns));
    ok(inNetns(netns, () => fs.readText('/proc/thread-self/net/dev')).includes('br-a'), 'its devices');
    let thrown = false;
    try {
      inNetns(netns, () => {
        throw new Error('inside');
      });
    } catch {
      thrown = true;
    }
    ok(thrown, 'errors come out');
    equal(fs.readlink('/proc/thread-self/ns/net'), ours, 'and we are back');
  });
  await check('a namespace that is none', () => {
    fails('ENOENT', () => netlink(0, { netns: '/no/such/netns' }));
    fails('EINVAL', () => netlink(0, { netns: '/etc/passwd' }));
    there.close();
    there.close();
    fails('ECANCELED', () => there.request(message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, header)));
  });
  sleeper.kill('KILL');
  await sleeper.wait();
}
