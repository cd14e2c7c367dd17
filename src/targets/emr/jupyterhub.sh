#!/bin/bash
# Replaces JupyterHub's default password, which is the same on every cluster of every account, as soon as its container runs:
# with the one that the lake's clusters share in Secrets Manager, or one that the first of them makes and puts there. Where
# that is not allowed, with one that nobody knows.
#
# A bootstrap action: jupyterhub.sh SECRET REGION. Passwords go through pipes, never onto a command line.
set -uo pipefail

# Returns the shared password, if there is one and it may be read.
read_secret() {
  aws secretsmanager get-secret-value --region "$region" --secret-id "$secret" --query SecretString --output text
}

# Makes the shared password; another cluster may be faster.
make_secret() {
  head -c 24 /dev/urandom | base64 -w0 | tr '+/' '-_' |
    aws secretsmanager create-secret --region "$region" --name "$secret" --secret-string file:///dev/stdin \
      --description "JupyterHub's user jovyan on the clusters of a lake of soflow" >/dev/null
}

# Sets the password of JupyterHub's first user.
set_password() {
  printf 'jovyan:%s\n' "$password" | sudo docker exec -i jupyterhub chpasswd
}

# Waits for the container, which EMR starts after all bootstrap actions, and sets the password a few times: EMR may still be
# setting its own.
rotate() {
  password=$(read_secret) || { make_secret; password=$(read_secret); } ||
    password=$(head -c 24 /dev/urandom | base64 -w0 | tr '+/' '-_')
  for _ in $(seq 720); do
    set_password && break
    sleep 5
  done
  for _ in $(seq 10); do
    sleep 30
    set_password
  done
}

if [ "$1" = rotate ]; then
  secret=$2 region=$3
  rotate
elif grep -Eq '"isMaster": *true' /mnt/var/lib/info/instance.json; then
  # Not waited for: EMR goes on only when its bootstrap actions have ended.
  setsid bash "$0" rotate "$1" "$2" </dev/null >"$(mktemp -t soflow-jupyterhub.XXXXXX)" 2>&1 &
fi
