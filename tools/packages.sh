# SPDX-License-Identifier: Apache-2.0
# packages.sh - the Debian 12 packages that ./demo and ./check need; sourced by both. Lists what is missing and installs
# it, as root or through sudo. Nothing is installed that is there already.

packages_to_build="gcc g++ meson ninja-build pkg-config libuv1-dev libmicrohttpd-dev libssl-dev libsodium-dev
  libjansson-dev libsimdjson-dev libfyaml-dev libvectorscan-dev libpcre2-dev libsqlite3-dev libzstd-dev
  libcurl4-gnutls-dev libseccomp-dev libutf8proc-dev"
packages_to_play="python3 python3-aiosmtpd openssl"
packages_to_test="clang clang-format-14 libclang-rt-14-dev libcmocka-dev curl zstd iproute2 util-linux scdoc"

need_packages() {
  local missing="" p
  for p in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
  done
  [ -n "$missing" ] || return 0
  local run=""
  if [ "$(id -u)" != 0 ]; then
    run=sudo
    command -v sudo >/dev/null || { echo "These packages are missing and there is neither root nor sudo:$missing" >&2; return 1; }
  fi
  echo "Installing what is missing:$missing" >&2
  $run apt-get update -qq >/dev/null || true
  DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
