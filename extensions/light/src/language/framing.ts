//! The Language Server Protocol's framing: `Content-Length: N`, an empty line, N bytes of JSON. What a server sends may be
//! anything: every length is checked before anything is kept.

import { joined } from "../session.ts";

/** The longest message of a server. */
export const LONGEST = 64 << 20;
const LONGEST_HEAD = 4_096;

export class Unframer {
  private head = "";
  private parts: Uint8Array[] = [];
  /** Bytes of the message that are still to come; nothing while the head is read. */
  private missing: number | undefined;

  /** The messages that end in these bytes. Throws when no server would say so; nothing can be read after that. */
  take(bytes: Uint8Array): string[] {
    const messages = [];
    let at = 0;
    while (at < bytes.length || this.missing === 0) {
      if (this.missing === undefined) {
        this.headed(bytes[at++] ?? 0);
        continue;
      }
      const part = bytes.subarray(at, at + this.missing);
      this.parts.push(part);
      at += part.length;
      this.missing -= part.length;
      if (this.missing > 0) continue;
      messages.push(new TextDecoder("utf-8", { fatal: true }).decode(joined(...this.parts)));
      this.parts = [];
      this.missing = undefined;
    }
    return messages;
  }

  private headed(byte: number): void {
    this.head += String.fromCharCode(byte);
    if (this.head.length > LONGEST_HEAD) throw new Error("a head that does not end");
    if (!this.head.endsWith("\r\n\r\n")) return;
    const length = /^content-length:[ \t]*(\d{1,10})[ \t]*\r$/im.exec(this.head)?.[1];
    if (length === undefined) throw new Error("a head without a length");
    if (Number(length) > LONGEST) throw new Error(`a message of ${length} bytes`);
    this.head = "";
    this.missing = Number(length);
  }
}

export function framed(message: string): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const body = encoder.encode(message);
  return joined(encoder.encode(`Content-Length: ${body.length}\r\n\r\n`), body);
}
