import { provision } from './provision.js'

const folder = process.env['PROVISION_FOLDER'] ?? '/srv/provision'
process.stdout.write((await provision(folder)) ? 'secrets and certificates made\n' : 'all there already\n')
