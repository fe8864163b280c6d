// SPDX-License-Identifier: BSD-3-Clause
// Example: a libp2p node that is joined to Weir. Connections are bound to their peers, with the agent that identify tells;
// what Weir refuses is hung up; what Weir bans is hung up, and denied when it comes again; whom Weir wants connected is dialled.
// Protocol /weir-example/1: a message comes back; "BAD" is a misdeed that is reported.
//
//   node node.mjs PORT [SOCKET]            npm ci first
// Prints one JSON object a line: {ready, address}, {connected, id}, {identified, id, agent}, {refused, id, code}, {closed, id}.
import './older-node.mjs'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { peerIdFromString } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { Weir } from '../weir.mjs'

const [port = '0', path] = process.argv.slice(2)
const tell = object => console.log(JSON.stringify(object))
const endpoint = address => {
  const { host, port } = address.toOptions()
  return { ip: host, port }
}

let libp2p = null

async function hangUp (id) {
  try {
    await libp2p.hangUp(peerIdFromString(id))
  } catch {} // gone already
}

const weir = new Weir(path, event => {
  if ((event.event === 'peer.banned' || event.event === 'peer.disconnect') && event.id) hangUp(event.id)
  if (event.event === 'governor.connect' && event.ip) {
    const family = event.ip.includes(':') ? 'ip6' : 'ip4'
    libp2p.dial(multiaddr(`/${family}/${event.ip}/tcp/${event.port}`)).catch(() => {})
  }
})

// Weir is asked before work is spent; while it is away everybody may come.
async function isDenied (address) {
  try {
    return (await weir.call('why', endpoint(address))).verdict === 'drop'
  } catch {
    return false
  }
}

async function bind (connection, agent) {
  const id = connection.remotePeer.toString()
  try {
    const answer = await weir.call('peer.bind', { id, ...endpoint(connection.remoteAddr), ...(agent ? { agent } : {}) })
    if (!answer.accepted) {
      tell({ refused: true, id, code: answer.code })
      await hangUp(id)
    }
  } catch {} // the node lives without Weir
}

libp2p = await createLibp2p({
  addresses: { listen: [`/ip4/127.0.0.1/tcp/${port}`] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify() },
  connectionGater: {
    denyInboundConnection: connection => isDenied(connection.remoteAddr),
    denyDialMultiaddr: () => false // this example runs on loopback
  }
})

libp2p.addEventListener('connection:open', ({ detail: connection }) => {
  tell({ connected: true, id: connection.remotePeer.toString() })
  bind(connection)
})
libp2p.addEventListener('connection:close', ({ detail: connection }) => tell({ closed: true, id: connection.remotePeer.toString() }))
libp2p.addEventListener('peer:identify', ({ detail }) => {
  tell({ identified: true, id: detail.peerId.toString(), agent: detail.agentVersion })
  bind(detail.connection, detail.agentVersion)
})

await libp2p.handle('/weir-example/1', async ({ stream, connection }) => {
  const id = connection.remotePeer.toString()
  await stream.sink((async function * () {
    for await (const chunk of stream.source) {
      const message = new TextDecoder().decode(chunk.subarray())
      if (message === 'BAD') weir.call('peer.report', { id, action: 'fatal', reason: 'it said BAD', evidence: message }).catch(() => {})
      else yield chunk.subarray()
    }
  })())
})

tell({ ready: true, address: libp2p.getMultiaddrs()[0].toString(), id: libp2p.peerId.toString() })

// One command a line on standard input: DIAL ADDRESS, SAY ADDRESS MESSAGE, COUNT.
let buffer = ''
process.stdin.setEncoding('utf8')
process.stdin.on('data', async text => {
  const lines = (buffer + text).split('\n')
  buffer = lines.pop()
  for (const line of lines) {
    const [command, address, message] = line.split(' ')
    try {
      if (command === 'DIAL') {
        tell({ dialled: (await libp2p.dial(multiaddr(address))).remotePeer.toString() })
      } else if (command === 'SAY') {
        const stream = await libp2p.dialProtocol(multiaddr(address), '/weir-example/1')
        await stream.sink([new TextEncoder().encode(message)])
        let answer = ''
        for await (const chunk of stream.source) answer += new TextDecoder().decode(chunk.subarray())
        tell({ answer })
      } else if (command === 'COUNT') {
        tell({ connections: libp2p.getConnections().length })
      }
    } catch (error) {
      tell({ failed: command, why: error.message })
    }
  }
})
process.stdin.on('end', async () => {
  weir.close()
  await libp2p.stop()
  process.exit(0)
})
