import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerCertificate } from '../https/test-authority.js'
import { realParts } from '../machine.js'

/** The program, where it is on this machine; null where it is not. */
export const nginxPath: string | null = realParts.find(({ name }) => name === 'nginx')!.path

/** An nginx of our own on loopback. */
export interface Nginx {
  /** Ends it and removes what it has left. */
  close(): Promise<void>
}

/**
 * Starts nginx in the foreground, in a folder of its own.
 *
 * @param http what stands in the `http` block; `certificate.pem` and `key.pem` are in its folder
 * @param ports on which it has to answer before this returns
 */
export async function startNginx(
  http: string,
  certificate: ServerCertificate,
  ports: readonly number[],
  program = nginxPath!,
): Promise<Nginx> {
  return startIn(
    (folder) => {
      writeFileSync(join(folder, 'certificate.pem'), certificate.cert)
      writeFileSync(join(folder, 'key.pem'), certificate.key, { mode: 0o600 })
      return configuration(http)
    },
    ports,
    program,
  )
}

/** Starts nginx in the foreground with a whole configuration. */
export async function startNginxFrom(
  configured: string,
  ports: readonly number[],
  program = nginxPath!,
): Promise<Nginx> {
  return startIn(() => `daemon off;\nmaster_process off;\n${configured}`, ports, program)
}

async function startIn(
  configure: (folder: string) => string,
  ports: readonly number[],
  program: string,
): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'wimse-nginx-'))
  mkdirSync(join(folder, 'temp'))
  writeFileSync(join(folder, 'nginx.conf'), configure(folder))
  const child = spawn(program, ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  try {
    for (const port of ports) await answers(child, port)
  } catch (cause) {
    await end(child)
    rmSync(folder, { recursive: true, force: true })
    throw new Error(`nginx does not start: ${said}`, { cause })
  }
  return {
    close: async () => {
      await end(child)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

// One process and every path in its own folder, so that it needs no rights and leaves nothing behind.
function configuration(http: string): string {
  return `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path temp/body;
  proxy_temp_path temp/proxy;
  fastcgi_temp_path temp/fastcgi;
  scgi_temp_path temp/scgi;
  uwsgi_temp_path temp/uwsgi;
  ${http}
}
`
}

async function answers(child: ChildProcess, port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null || child.signalCode !== null) break
    if (await accepts(port)) return
    await sleep(25)
  }
  throw new Error(`nothing answers on port ${port}`)
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
