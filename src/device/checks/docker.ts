import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Board } from '../board.ts';
import { page } from './engine.ts';
import type { BootCheck } from './check.ts';

const prelude = `
is() { [ "$1" = "$2" ] || { echo "expected '$2', found '$1'" >&2; exit 1; }; }
has() { [[ "$1" == *"$2"* ]] || { echo "no '$2' in '$1'" >&2; exit 1; }; }
cd /scratch`;

/** Runs a script on the host whose `docker` is Debian's client, at the other end of the board's TCP port. */
async function withClient(board: Board, script: string): Promise<string> {
  const folder = join(board.scratch, 'docker');
  await mkdir(folder, { recursive: true });
  const environment = [`DOCKER_HOST=tcp://127.0.0.1:${board.enginePort}`, 'DOCKER_BUILDKIT=0', `IMAGE=${board.container.reference}`, `PAGE=${page}`];
  const limit = ['timeout', '-k', '10', String(300 * board.scale)];
  const text = await board.tree.run({ argv: ['env', ...environment, ...limit, 'bash', '-euo', 'pipefail', '-c', `${prelude}\n${script}`], mounts: { '/scratch': { path: folder, rw: true } }, network: true, name: 'docker' });
  return text.trim().split('\n').at(-1) ?? '';
}

const check = (name: string, script: string): BootCheck => ({ name: `docker: ${name}`, run: (board) => withClient(board, script) });

/** What people do with the docker command, in an order in which each step needs the one before. */
export const dockerChecks: readonly BootCheck[] = [
  check(
    'the client finds the engine and its image',
    `
has "$(docker images --format '{{.Repository}}:{{.Tag}}')" "$IMAGE"
is "$(docker info --format '{{.OSType}} {{.Driver}}')" 'linux overlay2'
docker version --format 'client {{.Client.Version}}, engine {{.Server.Version}}, API {{.Client.APIVersion}}'`,
  ),
  check(
    'builds an image',
    `
mkdir -p context
echo "$PAGE" >context/page
cat >context/Dockerfile <<END
FROM $IMAGE
ARG WORD=none
ENV WORD=\\$WORD
RUN echo "built with \\$WORD" >/built
COPY page /www/index.html
WORKDIR /www
EXPOSE 80
HEALTHCHECK --interval=1s --timeout=20s CMD wget -q -O /dev/null http://127.0.0.1/
CMD ["httpd", "-f", "-p", "80", "-h", "/www"]
END
docker build -q --build-arg WORD=docker -t docker-test:1 context
is "$(docker run --rm docker-test:1 cat /built)" 'built with docker'
has "$(docker history --no-trunc --format '{{.CreatedBy}}' docker-test:1)" 'COPY'
docker image inspect --format '{{.Size}} bytes' docker-test:1`,
  ),
  check(
    'runs it on a network and a volume of its own',
    `
docker network create docker-net >/dev/null
docker volume create docker-volume >/dev/null
docker run -d --name docker-web --hostname kitchen --network docker-net --network-alias web -e COLOUR=green -v docker-volume:/data -m 64m --restart unless-stopped docker-test:1 >/dev/null
for try in {1..60}; do
  health=$(docker inspect --format '{{.State.Health.Status}}' docker-web)
  [ "$health" = healthy ] && break
  sleep 1
done
is "$health" healthy
is "$(docker run --rm --network docker-net "$IMAGE" wget -q -O - http://web/)" "$PAGE"
is "$(docker exec docker-web sh -c 'echo $COLOUR >/data/colour; hostname')" kitchen
is "$(docker run --rm -v docker-volume:/data:ro "$IMAGE" cat /data/colour)" green
is "$(echo piped | docker run --rm -i --network none "$IMAGE" cat)" piped
code=0
docker run --rm "$IMAGE" sh -c 'exit 43' || code=$?
is $code 43
echo "healthy after $try looks"`,
  ),
  check(
    'shows what runs',
    `
is "$(docker ps --filter name=docker-web --format '{{.Names}} {{.Image}}')" 'docker-web docker-test:1'
is "$(docker inspect --format '{{.Config.Hostname}} {{.HostConfig.Memory}}' docker-web)" 'kitchen 67108864'
has "$(docker top docker-web)" httpd
has "$(docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' docker-web)" docker-web
began=$(docker info --format '{{.SystemTime}}') # the board's own clock: one without a battery is behind
id=$(docker run -d "$IMAGE" sh -c 'echo one; echo two >&2')
is "$(docker wait "$id")" 0
is "$(docker logs "$id" 2>&1 | sort | tr '\\n' ' ')" 'one two '
now=$(docker info --format '{{.SystemTime}}')
has "$(docker events --since "$began" --until "$now" --filter "container=$id" --format '{{.Action}}' | tr '\\n' ' ')" 'create'
docker rm "$id" >/dev/null
docker system df --format '{{.Type}} {{.Size}}' | head -1`,
  ),
  check(
    'copies files in and out, and makes an image of the container',
    `
echo copied >in
docker cp -q in docker-web:/www/copied
docker cp -q docker-web:/www/copied out
is "$(cat out)" copied
has "$(docker diff docker-web)" 'A /www/copied'
docker commit docker-web docker-test:2 >/dev/null
docker save -o saved.tar docker-test:2
docker rmi docker-test:2 >/dev/null
docker load -q -i saved.tar
is "$(docker run --rm docker-test:2 cat /www/copied)" copied`,
  ),
  check(
    'stops, starts and removes, and nothing is left',
    `
docker pause docker-web >/dev/null
has "$(docker ps --filter name=docker-web --format '{{.Status}}')" Paused
docker unpause docker-web >/dev/null
docker restart -t 1 docker-web >/dev/null
docker stop -t 1 docker-web >/dev/null
is "$(docker inspect --format '{{.State.Running}}' docker-web)" false
docker rename docker-web docker-other
docker start docker-other >/dev/null
docker kill docker-other >/dev/null
docker rm -f docker-other >/dev/null
docker network rm docker-net >/dev/null
docker volume rm docker-volume >/dev/null
docker rmi docker-test:1 docker-test:2 >/dev/null
is "$(docker ps -aq --filter name=docker-)$(docker volume ls -q --filter name=docker-)$(docker network ls -q --filter name=docker-)$(docker images -q docker-test)" ''`,
  ),
];
