import type { Ipv4 } from './ipv4.ts';
import { ipv6Bytes, type Ipv6 } from './ipv6.ts';
import {
  attributeText, be32, decodeAttributes, decodeMessage, encodeMessage, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, u32, zeroTerminated,
  type Attribute,
} from './netlink-message.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
const IFLA_BRPORT_ISOLATED = 33;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_PID = 19;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const RTA_GATEWAY = 5;
const RTA_OIF = 4;

const AF_INET = 2;
const AF_INET6 = 10;
const AF_BRIDGE = 7;
const IFF_UP = 1;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;
const IFA_F_NODAD = 2;
const IFINFO_BYTES = 16;

const CREATE = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
const CHANGE = NLM_F_REQUEST | NLM_F_ACK;

export interface Link {
  index: number;
  name: string;
  up: boolean;
  mac: string;
  /** 'bridge', 'veth'; '' for interfaces of hardware. */
  kind: string;
}

export function createBridge(sequence: number, name: string, mac: string): Uint8Array {
  return encodeMessage(RTM_NEWLINK, CREATE, sequence, linkHeader(0, false), [
    { type: IFLA_IFNAME, value: zeroTerminated(name) },
    { type: IFLA_ADDRESS, value: macBytes(mac) },
    { type: IFLA_LINKINFO, value: [{ type: IFLA_INFO_KIND, value: zeroTerminated('bridge') }] },
  ]);
}

export interface VethRequest {
  hostName: string;
  bridgeIndex: number;
  mtu: number | undefined;
  peerName: string;
  peerMac: string;
  /** The peer is made inside this process' network namespace. */
  peerPid: number;
}

/** Both ends in one message: the host's in the bridge and up, the other one where it belongs. */
export function createVeth(sequence: number, request: VethRequest): Uint8Array {
  const mtu: Attribute[] = request.mtu === undefined ? [] : [{ type: IFLA_MTU, value: u32(request.mtu) }];
  const peer = encodePeer([
    { type: IFLA_IFNAME, value: zeroTerminated(request.peerName) },
    { type: IFLA_ADDRESS, value: macBytes(request.peerMac) },
    { type: IFLA_NET_NS_PID, value: u32(request.peerPid) },
    ...mtu,
  ]);
  return encodeMessage(RTM_NEWLINK, CREATE, sequence, linkHeader(0, true), [
    { type: IFLA_IFNAME, value: zeroTerminated(request.hostName) },
    { type: IFLA_MASTER, value: u32(request.bridgeIndex) },
    ...mtu,
    {
      type: IFLA_LINKINFO,
      value: [
        { type: IFLA_INFO_KIND, value: zeroTerminated('veth') },
        { type: IFLA_INFO_DATA, value: [{ type: VETH_INFO_PEER, value: peer }] },
      ],
    },
  ]);
}

/** VETH_INFO_PEER holds an ifinfomsg and attributes, as a message without its netlink header does. */
function encodePeer(attributes: Attribute[]): Uint8Array {
  return decodeMessage(encodeMessage(0, 0, 0, linkHeader(0, false), attributes)).payload;
}

export function setLinkUp(sequence: number, index: number): Uint8Array {
  return encodeMessage(RTM_NEWLINK, CHANGE, sequence, linkHeader(index, true), []);
}

/** A port of a bridge that may talk to the bridge but not to other such ports. */
export function isolatePort(sequence: number, index: number): Uint8Array {
  const header = linkHeader(index, false);
  header[0] = AF_BRIDGE;
  return encodeMessage(RTM_SETLINK, CHANGE, sequence, header, [{ type: IFLA_PROTINFO, value: [{ type: IFLA_BRPORT_ISOLATED, value: Uint8Array.of(1) }] }]);
}

export function deleteLink(sequence: number, index: number): Uint8Array {
  return encodeMessage(RTM_DELLINK, CHANGE, sequence, linkHeader(index, false), []);
}

export function getLink(sequence: number, name: string): Uint8Array {
  return encodeMessage(RTM_GETLINK, CHANGE, sequence, linkHeader(0, false), [{ type: IFLA_IFNAME, value: zeroTerminated(name) }]);
}

/** Undefined for any other kind of message. */
export function parseLink(message: Uint8Array): Link | undefined {
  const { type, payload } = decodeMessage(message);
  if (type !== RTM_NEWLINK || payload.length < IFINFO_BYTES) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const attributes = decodeAttributes(payload, IFINFO_BYTES);
  const name = attributes.get(IFLA_IFNAME);
  const mac = attributes.get(IFLA_ADDRESS);
  const kind = decodeAttributes(attributes.get(IFLA_LINKINFO) ?? new Uint8Array(0), 0).get(IFLA_INFO_KIND);
  return {
    index: view.getInt32(4, true),
    name: name === undefined ? '' : attributeText(name),
    up: (view.getUint32(8, true) & IFF_UP) !== 0,
    mac: mac === undefined ? '' : [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
    kind: kind === undefined ? '' : attributeText(kind),
  };
}

export function addAddress(sequence: number, index: number, address: Ipv4, prefixLength: number, broadcastAddress: Ipv4): Uint8Array {
  const header = new Uint8Array(8);
  header[0] = AF_INET;
  header[1] = prefixLength;
  new DataView(header.buffer).setUint32(4, index, true);
  return encodeMessage(RTM_NEWADDR, CREATE, sequence, header, [
    { type: IFA_LOCAL, value: be32(address) },
    { type: IFA_ADDRESS, value: be32(address) },
    { type: IFA_BROADCAST, value: be32(broadcastAddress) },
  ]);
}

export function addDefaultRoute(sequence: number, index: number, gateway: Ipv4): Uint8Array {
  const header = new Uint8Array(12);
  header.set([AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST]);
  return encodeMessage(RTM_NEWROUTE, CREATE, sequence, header, [
    { type: RTA_GATEWAY, value: be32(gateway) },
    { type: RTA_OIF, value: u32(index) },
  ]);
}

/** Of use at once: whoever lends the addresses knows that nobody else has it. */
export function addAddress6(sequence: number, index: number, address: Ipv6, prefixLength: number): Uint8Array {
  const header = new Uint8Array(8);
  header.set([AF_INET6, prefixLength, IFA_F_NODAD]);
  new DataView(header.buffer).setUint32(4, index, true);
  return encodeMessage(RTM_NEWADDR, CREATE, sequence, header, [
    { type: IFA_LOCAL, value: ipv6Bytes(address) },
    { type: IFA_ADDRESS, value: ipv6Bytes(address) },
  ]);
}

export function addDefaultRoute6(sequence: number, index: number, gateway: Ipv6): Uint8Array {
  const header = new Uint8Array(12);
  header.set([AF_INET6, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST]);
  return encodeMessage(RTM_NEWROUTE, CREATE, sequence, header, [
    { type: RTA_GATEWAY, value: ipv6Bytes(gateway) },
    { type: RTA_OIF, value: u32(index) },
  ]);
}

function linkHeader(index: number, up: boolean): Uint8Array {
  const header = new Uint8Array(IFINFO_BYTES);
  const view = new DataView(header.buffer);
  view.setInt32(4, index, true);
  if (up) {
    view.setUint32(8, IFF_UP, true);
    view.setUint32(12, IFF_UP, true);
  }
  return header;
}

export function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(':').map((part) => Number.parseInt(part, 16)));
}
