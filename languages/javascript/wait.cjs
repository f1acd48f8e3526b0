// Waits, started, for a program: one line of JSON with its words, then its files as an archive, on descriptor 5. Then it is
// that program's Node.
'use strict'
const fs = require('node:fs')
const path = require('node:path')
const { runMain } = require('node:module')

const BLOCK = 512
const LONG_NAME = 'L'

/** The files of an archive that the platform has made: names were checked, all are plain files. */
function unpack(archive, folder) {
  let long = ''
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0; ) {
    const field = (from, to) => archive.toString('utf8', at + from, at + to).split('\0', 1)[0]
    const size = parseInt(field(124, 136), 8)
    const content = archive.subarray(at + BLOCK, at + BLOCK + size)
    if (field(156, 157) === LONG_NAME) {
      long = content.toString('utf8').split('\0', 1)[0]
    } else {
      const file = path.join(folder, long || field(0, 100))
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, content)
      long = ''
    }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
  }
}

const told = fs.readFileSync(5)
fs.closeSync(5)
const end = told.indexOf(10)
if (end < 0) process.exit(0)
unpack(told.subarray(end + 1), '/work')
const [main, ...words] = JSON.parse(told.toString('utf8', 0, end)).argv
process.argv = [process.argv[0], path.join('/work', main), ...words]
// From a turn of its own: no line of this file is in what an error says of its way.
setImmediate(() => runMain(process.argv[1]))
