import { provision } from './provision.js'

const { PROVISION_FOLDER = '' } = process.env
const folder = PROVISION_FOLDER === '' ? '/srv/provision' : PROVISION_FOLDER
process.stdout.write((await provision(folder)) ? 'secrets and certificates made\n' : 'all there already\n')
