import { library } from '../../scripts/tsup.ts'

export default library()
