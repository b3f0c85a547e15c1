import { library } from '../../scripts/tsup.ts'

// Bundlers know a module of Node by its prefix.
export default library({ removeNodeProtocol: false, platform: 'node' })
