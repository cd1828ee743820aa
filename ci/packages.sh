#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Installs what the project needs from Debian 12: ci/packages.sh [build|test]. Quick when all is
# there. `build` is enough to build, run and report; `test` (the default) adds the test tools.
. "$(dirname "$0")/lib.sh"

build_packages=(g++ cmake ninja-build ccache lld pkg-config git ca-certificates
  libboost1.81-dev libcpp-httplib-dev nlohmann-json3-dev prometheus-cpp-dev libexpected-dev
  libcli11-dev libfmt-dev libspdlog-dev libsimdjson-dev libssl-dev libsqlite3-dev
  libbenchmark-dev libgtest-dev libgmock-dev
  python3 python3-matplotlib python3-numpy python3-jinja2)
test_packages=(python3-pytest python3-jsonschema python3-decorator libblas3 liblapack3 libgfortran5 liblbfgsb0
  clang clang-format libclang-rt-14-dev curl shellcheck python3-yaml
  chromium)  # the dashboard in a browser: 120 MB to fetch, 15 s to install

wanted=("${build_packages[@]}")
case ${1:-test} in
  build) ;;
  test) wanted+=("${test_packages[@]}") ;;
  *) die "usage: ci/packages.sh [build|test]" 2 ;;
esac

if [ "${1:-test}" = test ] && ! { command -v node && command -v npm; } >/dev/null; then
  wanted+=(nodejs npm)  # any Node from 18 on will do for the mock's client tests
fi

missing=()
for package in "${wanted[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
    missing+=("$package")
done

as_root=()
if [ "$(id -u)" != 0 ]; then
  as_root=(sudo)
fi
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    die "not root and no sudo; install by hand: apt-get install ${missing[*]}" 2
  fi
  step "installing from Debian: ${missing[*]}"
  log=$(mktemp)
  apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q "$@" >>"$log" 2>&1; }
  apt update || :  # an unreachable extra source does not matter if the install works
  apt install --no-install-recommends "${missing[@]}" || {
    tail -20 "$log" >&2
    die "apt-get could not install the packages above; the whole log: $log"
  }
  rm -f "$log"
fi

# SciPy's package depends on Boost 1.74's headers, which cannot stand beside 1.81. The tests need
# only the module, so it is unpacked into the cache.
if [ "${1:-test}" = test ] && [ ! -e "$cache/scipy/ok" ]; then
  step "unpacking SciPy for the tests into $cache/scipy"
  rm -rf "$cache/scipy" && mkdir -p "$cache/scipy/deb"
  (cd "$cache/scipy/deb" && apt-get -o APT::Sandbox::User=root -q download python3-scipy >/dev/null) ||
    die "apt-get download python3-scipy failed"
  dpkg -x "$cache"/scipy/deb/*.deb "$cache/scipy/root"
  rm -rf "$cache/scipy/deb"
  PYTHONPATH=$cache/scipy/root/usr/lib/python3/dist-packages \
    /usr/bin/python3 -c 'import scipy.stats' || die "the unpacked SciPy does not import"
  touch "$cache/scipy/ok"
fi

# Prometheus and its gateway would be installed as services that run. The tests need the programs.
if [ "${1:-test}" = test ] && [ ! -e "$cache/prometheus/ok" ]; then
  step "unpacking Prometheus for the tests into $cache/prometheus"
  rm -rf "$cache/prometheus" && mkdir -p "$cache/prometheus/deb"
  (cd "$cache/prometheus/deb" && apt-get -o APT::Sandbox::User=root -q download prometheus prometheus-pushgateway >/dev/null) ||
    die "apt-get download prometheus prometheus-pushgateway failed"
  for package in "$cache"/prometheus/deb/*.deb; do dpkg -x "$package" "$cache/prometheus"; done
  rm -rf "$cache/prometheus/deb"
  "$cache/prometheus/usr/bin/promtool" --version >/dev/null || die "the unpacked promtool does not start"
  touch "$cache/prometheus/ok"
fi
