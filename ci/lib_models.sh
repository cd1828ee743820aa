# SPDX-License-Identifier: EUPL-1.2
# shellcheck shell=bash disable=SC2154
# After lib.sh: a llama-server and models where there are none. Both print what they made or found
# on stdout and talk on stderr.

# ROCM_LLAMA_SERVER_PATH, else PATH, else one made of Debian's packages.
find_llama_server() {
  local found
  if [ -n "${ROCM_LLAMA_SERVER_PATH:-}" ]; then
    printf '%s\n' "$ROCM_LLAMA_SERVER_PATH"  # who starts it says what is wrong with it
  elif found=$(command -v llama-server); then
    printf '%s\n' "$found"
  else
    "$root/ci/llama_server_debian.sh" "$cache/llama-server" ||
      die "no llama-server: set ROCM_LLAMA_SERVER_PATH, put one on PATH, or let Debian's mirror be reached" 3
    printf '%s\n' "$cache/llama-server/llama-server"
  fi
}

# llama-quantize: beside the server, on PATH, or nothing.
find_llama_quantize() {  # LLAMA_SERVER
  local beside
  beside=$(dirname "$1")/llama-quantize
  if [ -x "$beside" ]; then printf '%s\n' "$beside"; else command -v llama-quantize || :; fi
}

# Room for BYTES in DIR, or one line and exit 2.
need_disk() {  # DIR BYTES WHAT
  local free
  free=$(($(stat -f -c '%a * %S' "$1")))
  [ "$free" -ge "$2" ] ||
    die "$3 needs $(($2 / 1000000)) MB, but $1 has $((free / 1000000)) MB free" 2
}

# synthetic_model BENCH SERVER SHAPE TYPE [SYNTH_ARGUMENT…]: the model's file, written unless it is
# in the cache. Types that rocm-bench does not write itself (q4_k_m …) come from llama-quantize.
# Whether disk and device suffice is checked first.
synthetic_model() {
  local bench=$1 server=$2 shape=$3 type=$4
  shift 4
  local folder=${ROCM_BENCH_SYNTHETIC:-$cache/synthetic} file quantize source bytes
  mkdir -p "$folder"
  file=$folder/$shape-$type.gguf
  case $type in
    q4_0 | q8_0 | f16)
      if "$bench" estimate "$file" >/dev/null 2>&1; then
        # Written for this machine once, perhaps not for this device.
        "$bench" synth --shape "$shape" --type "$type" --check "$@" "$file" >&2 || exit
      else
        "$bench" synth --shape "$shape" --type "$type" "$@" "$file" >&2 || exit
      fi
      ;;
    *)
      if ! "$bench" estimate "$file" >/dev/null 2>&1; then
        quantize=$(find_llama_quantize "$server")
        [ -n "$quantize" ] || die "type $type needs llama-quantize beside $server or on PATH; without it there are q4_0, q8_0 and f16" 2
        # A K-quant is smaller than the Q8_0 that it is made of.
        "$bench" synth --shape "$shape" --type q8_0 --check "$@" "$file" >&2 || exit
        bytes=$("$bench" estimate --shape "$shape" --type q8_0 --json |
          sed -n 's/^ *"file_bytes": \([0-9]*\),*$/\1/p')
        need_disk "$folder" $((bytes * 2)) "$shape $type, by way of q8_0,"
        source=$folder/$shape-$type.$$.q8_0
        # shellcheck disable=SC2064  # its name now, not later
        trap "rm -f '$source' '$file.$$.part'" EXIT
        "$bench" synth --shape "$shape" --type q8_0 "$@" "$source" >&2 || exit
        "$quantize" --allow-requantize "$source" "$file.$$.part" "${type^^}" >"$file.log" 2>&1 || {
          tail -3 "$file.log" >&2
          die "llama-quantize cannot make $type of it; the whole log: $file.log" 2
        }
        mv "$file.$$.part" "$file"
        rm -f "$source" "$file.log"
        trap - EXIT
      fi
      ;;
  esac
  printf '%s\n' "$file"
}
