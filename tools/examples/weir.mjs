// SPDX-License-Identifier: BSD-3-Clause
// A node's connection to Weir for Node.js: requests, answers and events over weir-control's socket. No dependencies.
//
//   const weir = new Weir('/run/weir/weir.sock', event => ...)
//   await weir.call('peer.bind', { id: 'p1', ip: '192.0.2.1', port: 4000 })
// Connects again by itself; while Weir is away, call rejects and the node goes on without it.
import net from 'node:net'

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 5000

export class WeirError extends Error {
  constructor ({ code, message, data }) {
    super(message)
    this.code = code
    this.reason = data?.reason
  }
}

export class Weir {
  #path
  #onEvent
  #socket = null
  #nextId = 0
  #waiting = new Map()
  #buffer = ''
  #retryMs = RETRY_FIRST_MS
  #ended = false

  constructor (path = '/run/weir/weir.sock', onEvent = null) {
    this.#path = path
    this.#onEvent = onEvent
    this.#connect()
  }

  call (method, params = {}) {
    if (!this.#socket?.writable || this.#socket.connecting) return Promise.reject(new WeirError({ code: 104, message: 'weir-control is away' }))
    const id = ++this.#nextId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#socket.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }) + '\n')
    })
  }

  close () {
    this.#ended = true
    this.#socket?.destroy()
  }

  #connect () {
    const socket = this.#socket = net.createConnection(this.#path)
    socket.setEncoding('utf8')
    socket.on('connect', () => {
      this.#retryMs = RETRY_FIRST_MS
      if (this.#onEvent) this.call('events.subscribe').catch(() => {})
    })
    socket.on('data', text => this.#take(text))
    socket.on('error', () => {}) // followed by close
    socket.on('close', () => this.#lost())
  }

  #lost () {
    this.#buffer = ''
    for (const { reject } of this.#waiting.values()) reject(new WeirError({ code: 104, message: 'the connection to weir-control ended' }))
    this.#waiting.clear()
    if (this.#ended) return
    setTimeout(() => this.#connect(), this.#retryMs).unref()
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS)
  }

  #take (text) {
    const lines = (this.#buffer + text).split('\n')
    this.#buffer = lines.pop()
    for (const line of lines) {
      const message = JSON.parse(line)
      if (message.method === 'event') {
        this.#onEvent?.(message.params)
        continue
      }
      const waiting = this.#waiting.get(message.id)
      this.#waiting.delete(message.id)
      if (message.error) waiting?.reject(new WeirError(message.error))
      else waiting?.resolve(message.result)
    }
  }
}
