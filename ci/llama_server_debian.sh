#!/usr/bin/env bash
# SPDX-License-Identifier: EUPL-1.2
# Makes a real llama-server out of Debian sid's own packages, for any recent Debian: no root, no
# chroot, nothing installed, nothing written but DEST and, while it works, DEST.tmp.*.
#
#   ci/llama_server_debian.sh DEST [--vulkan] [--cuda] [--hip]
#
#   DEST/llama-server DEST/llama-bench DEST/llama-batched-bench DEST/llama-quantize
#   DEST/llama-tokenize            CPU only
#   DEST/llama-server-vulkan       with --vulkan: on Mesa's software Vulkan device (llvmpipe)
#   DEST/vulkan/llama-server-card  with --vulkan: on this machine's card, by its own driver or Mesa's
#   DEST/llama-server-cuda         with --cuda: NVIDIA, 340 MB from contrib and non-free
#   DEST/llama-server-hip          with --hip: AMD, 480 MB
#
# The second time it only looks: no network, no change. Remove DEST to get newer packages. DEST may
# be moved. Exit 3: the mirror does not deliver the packages. Exit 1: anything else.
set -euo pipefail

readonly programs=(llama-server llama-bench llama-batched-bench llama-quantize llama-tokenize)
readonly cpu_packages=(llama.cpp-tools llama.cpp-tools-extra)
readonly vulkan_packages=("${cpu_packages[@]}" libggml0-backend-vulkan libvulkan1
                          mesa-vulkan-drivers)
readonly cuda_packages=("${cpu_packages[@]}" libggml0-backend-cuda)
readonly hip_packages=("${cpu_packages[@]}" libggml0-backend-hip)
readonly keyring=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
  echo "llama_server_debian: $1" >&2
  exit "${2:-1}"
}

# The configured Debian mirrors, most likely first. apt itself reads its sources, so that .list and
# .sources files, options and comments mean what they mean to apt.
debian_mirrors() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(CREATED_BY)' |
    awk '$4 == "Packages" && $3 == "main" && $1 !~ /security/ &&
         $2 ~ /^(bookworm|trixie|forky|duke|sid|stable|testing|unstable)(-updates)?$/ \
           { print ($1 ~ /\/debian\/?$/ ? 0 : 1), $1 }' |
    sort -s -k1,1 | awk '!seen[$2]++ { print $2 }'
}

# An apt of our own: sid only, its own state, none of the machine's hooks and pins. How to reach
# the network (proxies, certificates) still comes from the machine.
write_apt_conf() { # DIR MIRROR
  local dir=$1 mirror=$2
  mkdir -p "$dir"/{etc,lists/partial,archives/partial,log}
  : >"$dir/status"
  echo "deb [signed-by=$keyring] $mirror sid main contrib non-free" >"$dir/sources.list"
  {
    apt-config dump | grep -E '^Acquire::(https?|ftp|Proxy|Retries)[:" ]|^Acquire::https?$' || true
    cat <<CONF
Dir "/";
Dir::Etc "$dir/etc";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
Dir::State "$dir";
Dir::State::lists "$dir/lists";
Dir::State::status "$dir/status";
Dir::State::extended_states "$dir/extended_states";
Dir::Cache "$dir";
Dir::Cache::archives "$dir/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Log "$dir/log";
Dir::Log::Planner "";
APT::Architectures { "$(dpkg --print-architecture)"; };
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
APT::Install-Recommends "false";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Debug::NoLocking "true";
CONF
  } >"$dir/apt.conf"
}

# Fetches the packages and all that they depend on into DIR/archives. The resolver runs against an
# empty dpkg database, so that the C library and the rest come along.
download() { # DIR PACKAGE...
  local dir=$1
  shift
  local log=$dir/apt.log mirrors mirror
  mirrors=$(debian_mirrors) || fail "apt-get cannot list this machine's sources"
  [[ -n $mirrors ]] || fail "no Debian mirror among this machine's apt sources" 3
  for mirror in $mirrors; do
    write_apt_conf "$dir" "$mirror"
    echo "llama_server_debian: fetching $* from $mirror sid" >&2
    if APT_CONFIG=$dir/apt.conf apt-get -qq update >>"$log" 2>&1 &&
      APT_CONFIG=$dir/apt.conf apt-get -qq -y --download-only install "$@" >>"$log" 2>&1; then
      return
    fi
  done
  fail "the Debian mirror ($mirror) does not deliver $*: $(
    grep '^E:' "$log" | head -n 1 || true)" 3
}

# One prefix with everything in it, run through the loader that came with it.
build_prefix() { # PREFIX PACKAGE...
  local prefix=$1 dir=$1.apt
  shift
  download "$dir" "$@"
  mkdir -p "$prefix"
  local deb
  for deb in "$dir"/archives/*.deb; do
    dpkg -x "$deb" "$prefix" || fail "cannot unpack ${deb##*/}"
  done
  for deb in "$dir"/archives/*.deb; do
    dpkg-deb --show "$deb"
  done >"$prefix/packages.txt"
  rm -rf "$dir" "$prefix"/usr/share/{doc,man,locale,lintian,bug}

  local lib
  lib=$(cd "$prefix" && echo usr/lib/*-linux-gnu)
  [[ -d $prefix/$lib/llama ]] || fail "the packages are laid out in a way not known here: no $lib/llama"
  # ggml looks for its backends beside /proc/self/exe, which is the loader.
  local backend
  for backend in "$prefix/$lib"/ggml/backends*/*.so; do
    ln -sf "${backend#"$prefix/$lib/"}" "$prefix/$lib/"
  done
  compgen -G "$prefix/$lib/libggml-cpu*.so" >/dev/null || fail "the packages hold no CPU backend"
}

# The wrapper finds its prefix beside itself at run time; `exec` keeps the pid.
write_wrapper() { # FILE PREFIX_RELATIVE_TO_FILE PROGRAM [ENVIRONMENT_LINE]
  local file=$1 relative=$2 program=$3 environment=${4:-} prefix lib loader
  prefix=$(dirname "$file")/$relative
  [[ -x $prefix/usr/bin/$program ]] || fail "the packages hold no $program"
  lib=$(cd "$prefix" && echo usr/lib/*-linux-gnu)
  loader=$(cd "$prefix/$lib" && ls -d ld-linux*.so.* | head -n 1)
  [[ -n $loader ]] || fail "the packages hold no dynamic loader"
  cat >"$file" <<WRAPPER
#!/bin/sh
here=\${0%/*}
if [ -L "\$0" ]; then here=\$(dirname "\$(readlink -f "\$0")"); fi
p=\$(cd "\$here/$relative" && pwd) || exit 1
l=\$p/$lib
$environment
exec "\$l/$loader" --argv0 $program --library-path "\$l:\$l/llama" "\$p/usr/bin/$program" "\$@"
WRAPPER
  chmod 755 "$file"
}

# Runs it once: what is stamped has been seen to start.
prove() { # EXECUTABLE
  local out
  out=$("$1" --version 2>&1) || fail "$(basename "$1") does not start: $(tail -n 1 <<<"$out")"
}

make_cpu() { # DIR
  build_prefix "$1/prefix" "${cpu_packages[@]}"
  local program
  for program in "${programs[@]}"; do
    write_wrapper "$1/$program" prefix "$program"
  done
  prove "$1/llama-server"
}

# A prefix of its own: sid moves, and a backend must match the ggml that it was built with.
make_vulkan() { # DIR
  build_prefix "$1/prefix" "${vulkan_packages[@]}"
  local icd
  icd=$(cd "$1/prefix" && ls usr/share/vulkan/icd.d/lvp_icd*.json | head -n 1) ||
    fail "the packages hold no software Vulkan driver"
  write_card_wrapper "$1"
  write_wrapper "$1/llama-server" prefix llama-server \
    "export VK_DRIVER_FILES=\$p/$icd GGML_VK_VISIBLE_DEVICES=\"\${GGML_VK_VISIBLE_DEVICES:-0}\""
  prove "$1/llama-server"
}

# The machine's own Vulkan drivers, and Mesa's for cards where it brings none.
write_card_wrapper() { # DIR
  local more="" file icds=$1/prefix/usr/share/vulkan/icd.d
  # A bare name is found through --library-path; an absolute one would point into the system.
  sed -Ei 's|("library_path": *")[^"]*/|\1|' "$icds"/*.json
  for file in "$icds"/radeon_icd*.json "$icds"/intel_icd*.json; do
    [[ ! -e $file ]] || more+="\$p/${file#"$1/prefix/"}:"
  done
  write_wrapper "$1/llama-server-card" prefix llama-server "export VK_ADD_DRIVER_FILES=\"${more%:}\""
}

# CUDA or HIP: a prefix of its own too. The driver's own library belongs to the running kernel's
# module, so it is the machine's that is used.
make_card() { # DIR PACKAGE...
  local dir=$1
  shift
  build_prefix "$dir/prefix" "$@"
  rm -f "$dir"/prefix/usr/lib/*-linux-gnu/{,nvidia/current/}libcuda.so*
  write_wrapper "$dir/llama-server" prefix llama-server
  prove "$dir/llama-server"
}

# Built aside, stamped, then renamed: DEST is whole or it is not there. Who comes second in a race
# finds the stamp and throws its own away.
install_part() { # DEST KIND
  touch "$work/$2/stamp"
  mv -nT "$work/$2" "$1/$2" || [[ -e $1/$2/stamp ]] || fail "cannot create $1/$2"
  ln -sfn "$2/llama-server" "$1/llama-server-$2"
}

main() {
  local dest="" wanted=() missing=() argument kind usage="usage: $0 DEST [--vulkan] [--cuda] [--hip]"
  for argument in "$@"; do
    case $argument in
      --vulkan | --cuda | --hip) wanted+=("${argument#--}") ;;
      -*) fail "unknown option $argument; $usage" ;;
      *)
        [[ -z $dest ]] || fail "one DEST only; $usage"
        dest=$argument
        ;;
    esac
  done
  [[ -n $dest ]] || fail "$usage"
  local missing_cpu=1
  [[ -e $dest/stamp ]] && missing_cpu=0
  for kind in "${wanted[@]}"; do
    [[ -e $dest/$kind/stamp && -x $dest/llama-server-$kind ]] || missing+=("$kind")
  done
  # Made by an older version of this script.
  if [[ -e $dest/vulkan/stamp && ! -x $dest/vulkan/llama-server-card ]]; then
    write_card_wrapper "$dest/vulkan"
  fi
  ((missing_cpu || ${#missing[@]})) || return 0

  local tool
  for tool in apt-get apt-config dpkg dpkg-deb awk sed; do
    command -v "$tool" >/dev/null || fail "$tool is needed, this is no Debian"
  done
  [[ -r $keyring ]] || fail "$keyring is needed (package debian-archive-keyring)"
  # Never anybody else's folder: an interrupted run of ours leaves none.
  if ((missing_cpu)) && [[ -e $dest ]]; then
    rmdir "$dest" 2>/dev/null || fail "$dest exists and was not made by this script"
  fi
  mkdir -p "$(dirname "$dest")" || fail "cannot create $(dirname "$dest")"
  dest=$(cd "$(dirname "$dest")" && pwd)/$(basename "$dest")
  work=$(mktemp -d "$dest.tmp.XXXXXX") || fail "cannot write beside $dest"
  trap 'rm -rf "$work"' EXIT
  chmod 755 "$work"

  if ((missing_cpu)); then
    mkdir "$work/cpu"
    make_cpu "$work/cpu"
    touch "$work/cpu/stamp"
    mv -nT "$work/cpu" "$dest" || [[ -e $dest/stamp ]] || fail "cannot create $dest"
  fi
  for kind in "${missing[@]}"; do
    mkdir "$work/$kind"
    case $kind in
      vulkan) make_vulkan "$work/vulkan" ;;
      cuda) make_card "$work/cuda" "${cuda_packages[@]}" ;;
      hip) make_card "$work/hip" "${hip_packages[@]}" ;;
    esac
    install_part "$dest" "$kind"
  done
  return 0
}

main "$@"
