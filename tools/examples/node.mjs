// SPDX-License-Identifier: BSD-3-Clause
// Example: a node in JavaScript that is joined to Weir. It listens on TCP; a peer says "HELLO ID" and is bound, whatever else it
// says comes back, and "BAD" is a misdeed that is reported. Who is banned is told "BYE CODE" and closed.
//
//   node node.mjs PORT [SOCKET]
import net from 'node:net'
import readline from 'node:readline'
import { Weir } from './weir.mjs'

const [port, path] = process.argv.slice(2)
const peers = new Map() // id: socket

if (!(Number(port) >= 1 && Number(port) <= 65535)) {
  console.error('usage: node node.mjs PORT [SOCKET]')
  process.exit(2)
}

function hangUp (socket, code) {
  if (socket.writable) socket.end(`BYE ${code}\n`)
}

const weir = new Weir(path, event => {
  if ((event.event === 'peer.banned' || event.event === 'peer.disconnect') && peers.has(event.id)) hangUp(peers.get(event.id), 251)
})

async function welcome (socket, id) {
  let answer = { accepted: true } // the node lives without Weir
  try {
    answer = await weir.call('peer.bind', { id, ip: socket.remoteAddress.replace(/^::ffff:/, ''), port: socket.remotePort, agent: 'example/1' })
  } catch {}
  if (!answer.accepted) return hangUp(socket, answer.code)
  peers.set(id, socket)
  socket.write('WELCOME\n')
}

net.createServer(socket => {
  let id = null
  socket.on('error', () => {})
  socket.on('close', () => { if (peers.get(id) === socket) peers.delete(id) })
  readline.createInterface({ input: socket }).on('line', line => {
    if (line.startsWith('HELLO ')) welcome(socket, id = line.slice(6))
    else if (line === 'BAD') weir.call('peer.report', { id, action: 'fatal', reason: 'it said BAD', evidence: line }).catch(() => {})
    else if (socket.writable) socket.write(line + '\n')
  })
}).listen(Number(port), () => console.log('ready'))
