# One image for all services of the demo; the compose file says which one a container is.
FROM docker.io/library/node:24-bookworm-slim AS build
WORKDIR /demo
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml tsconfig.base.json ./
COPY packages packages
COPY apps apps
RUN npx -y pnpm@10.34.9 install --frozen-lockfile --filter wimse-suite --filter "{./apps/**}..." \
  && npx -y pnpm@10.34.9 run build:apps \
  && mkdir /built && cp -a --parents packages/*/dist apps/*/dist /built

FROM docker.io/library/node:24-bookworm-slim AS dependencies
WORKDIR /demo
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY packages packages
COPY apps apps
RUN npx -y pnpm@10.34.9 install --frozen-lockfile --prod --filter "{./apps/**}..." \
  && rm -rf packages/*/src apps/*/src apps/*/page

FROM docker.io/library/node:24-bookworm-slim AS demo
WORKDIR /demo
ENV NODE_ENV=production
COPY --from=dependencies /demo ./
COPY --from=build /built ./
# A new volume takes its owner from the folder it is mounted over.
RUN mkdir -p /srv/demo /srv/keys /srv/provision/identity /srv/provision/gateway /srv/provision/inventory \
    /srv/provision/checkout /srv/provision/console \
  && chown -R 1000:1000 /srv/demo /srv/keys /srv/provision
USER 1000:1000
CMD ["node", "--version"]
