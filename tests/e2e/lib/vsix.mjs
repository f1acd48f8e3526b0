// A VS Code extension of one command, packed as `.vsix` without any tool: a zip whose entries are not compressed.
// Nothing of it comes from the network.
import { crc32 } from 'node:zlib'

const MANIFEST = {
  name: 'probe', publisher: 'darter', version: '1.0.0', engines: { vscode: '^1.80.0' }, main: './main.js',
  activationEvents: ['onStartupFinished'],
  contributes: { commands: [{ command: 'probe.hello', title: 'Probe: Say Hello' }] },
}
const MAIN = `const { commands, window } = require('vscode')
exports.activate = (context) => {
  context.subscriptions.push(commands.registerCommand('probe.hello', () => window.showInformationMessage('Hello from the probe')))
}
`
const PACKAGE = `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata><Identity Language="en-US" Id="probe" Version="1.0.0" Publisher="darter"/><DisplayName>Probe</DisplayName></Metadata>
  <Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
  <Assets><Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/></Assets>
</PackageManifest>`
const TYPES = `<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension=".json" ContentType="application/json"/><Default Extension=".js" ContentType="application/javascript"/><Default Extension=".vsixmanifest" ContentType="text/xml"/></Types>`

function entry(name, text, offset) {
  const [path, data] = [Buffer.from(name), Buffer.from(text)]
  const common = Buffer.alloc(26)
  common.writeUInt16LE(20, 0)
  common.writeUInt16LE(33, 8)
  common.writeUInt32LE(crc32(data), 10)
  common.writeUInt32LE(data.length, 14)
  common.writeUInt32LE(data.length, 18)
  common.writeUInt16LE(path.length, 22)
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, path, data])
  const tail = Buffer.alloc(14)
  tail.writeUInt32LE(offset, 10)
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, tail, path])
  return { local, central }
}

/** The bytes of the extension. */
export function vsix() {
  const files = { 'extension.vsixmanifest': PACKAGE, '[Content_Types].xml': TYPES, 'extension/package.json': JSON.stringify(MANIFEST), 'extension/main.js': MAIN }
  const entries = []
  let offset = 0
  for (const [name, text] of Object.entries(files)) {
    const made = entry(name, text, offset)
    offset += made.local.length
    entries.push(made)
  }
  const central = Buffer.concat(entries.map((one) => one.central))
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...entries.map((one) => one.local), central, end])
}
