/** What a caller sends along with a call: headers of its own. */

import type { IncomingHttpHeaders } from 'node:http2'

export class Metadata {
  readonly #headers: IncomingHttpHeaders

  constructor(headers: IncomingHttpHeaders) {
    this.#headers = headers
  }

  /** A header's text, in lower case by name; the first one where there are several. */
  text(name: string): string | undefined {
    const value = this.#headers[name]
    return Array.isArray(value) ? value[0] : value
  }

  /** A header whose name ends in `-bin`; undefined where there is none or it is no base64. */
  bytes(name: string): Uint8Array | undefined {
    const text = this.text(name)
    if (text === undefined || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
    return Buffer.from(text, 'base64')
  }
}
