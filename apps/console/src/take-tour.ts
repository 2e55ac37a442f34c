import { tourAgainst } from './against.js'

process.exitCode = await tourAgainst(process.argv.slice(2), process)
