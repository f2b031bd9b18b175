#!/usr/bin/env bash
# gpu-check.sh [--softcuda] [--minutes N] [--out FOLDER]: checks Belay on the GPU of this machine, in at most 8 minutes: what belay doctor
# says, every kernel test, every golden family in f32 and bf16, the demo, the benchmarks, compute-sanitizer where it is installed. Writes
# FOLDER/report.txt (gpu-check/report.txt by default), which says first what failed; beside it the output of each step. Exit code 0 if nothing
# failed. Runs from a bundle made with tests (tools/bundle --with-tests) or from a checkout, which it builds.
#   --softcuda   on the CUDA device in software, without benchmarks and sanitizers (or SOFTCUDA=1); 60 minutes if --minutes does not say
set -u
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
softcuda=${SOFTCUDA:-0} minutes='' out=$PWD/gpu-check
usage() { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case $1 in
    --softcuda) softcuda=1 ;;
    --minutes) minutes=${2:-} && [[ $minutes =~ ^[1-9][0-9]*$ ]] || usage; shift ;;
    --out) [ -n "${2:-}" ] || usage; out=$(realpath -m "$2"); shift ;;
    *) usage ;;
  esac
  shift
done
[ "$softcuda" = 1 ] || softcuda=0
[ -n "$minutes" ] || minutes=$([ $softcuda = 1 ] && echo 60 || echo 8)
die() { echo "gpu-check: $1" >&2; exit 1; }

if [ -x "$root/runtime/bin/java" ]; then
  [ -d "$root/tests" ] || die "this bundle is without tests: unpack the archive named -tests here, too (tools/bundle --with-tests makes it)"
  java=$root/runtime/bin/java golden=$root/golden/families
  classes=$root/tests/classes libraries=$root/tests/lib soft=$root/tests/softcuda
  path=$classes:$root/belay.jar
else
  java=$("$root/tools/find-jdk")/bin/java || exit 1
  golden=$root/src/test/resources/golden/families
  classes=$root/target/test-classes libraries=$root/target/test-lib soft=$root/native/softcuda/build
  path=$classes:$root/target/classes:$root/target/lib/*
  "$root/belay" build && "$root/tools/junit-console" "$libraries" || exit 1
  [ $softcuda = 0 ] || make -s -C "$root/native/softcuda" -j"$(nproc)" || die "softcuda cannot be built"
fi
path=$path:$libraries/*
libraries=()
if [ $softcuda = 1 ]; then
  [ -f "$soft/libsoftcuda.so" ] && [ -f "$soft/libsoftcublaslt.so" ] || die "there is no softcuda in $soft"
  libraries=("-Dbelay.cuda.library=$soft/libsoftcuda.so" "-Dbelay.cublas.library=$soft/libsoftcublaslt.so")
fi
export BELAY_JAVA_OPTIONS="${libraries[*]} ${BELAY_JAVA_OPTIONS:-}"
# The tests read models/ from here.
cd "$root" || exit 1
mkdir -p "$out" && rm -f "$out"/*.log "$out"/*.json "$out/report.txt" || exit 1
start=$SECONDS deadline=$((SECONDS + 60 * minutes))
failed=() unfinished=() table=()

# step LIMIT NAME COMMAND...: runs a command for at most LIMIT of the seconds that are left; its output goes to NAME.log. On softcuda, whose
# time says nothing, for as long as there is. A benchmark of a model that Belay does not support is left out.
step() {
  local limit=$1 name=$2 log=$out/${2// /-}.log left=$((deadline - SECONDS)) began=$SECONDS code result
  shift 2
  [ $softcuda = 1 ] && limit=$left
  [ "$limit" -lt "$left" ] || limit=$left
  if [ "$limit" -lt 3 ]; then
    unfinished+=("$name") table+=("$(printf '%-24s not run: no time left' "$name")")
    return
  fi
  printf 'gpu-check: %s\n' "$name" >&2
  timeout -k 5 "$limit" "$@" >"$log" 2>&1
  code=$?
  case $code in
    0) result=passed ;;
    124 | 137) result="not finished in $limit s" unfinished+=("$name") ;;
    *)
      result=$(sed -n 's/^belay: \(shape .* is not supported\).*/left out: \1/p' "$log")
      [ -n "$result" ] || { result="FAILED with exit code $code" failed+=("$name"); }
      ;;
  esac
  table+=("$(printf '%-24s %s, %d s' "$name" "$result" $((SECONDS - began)))")
}

left_out() { table+=("$(printf '%-24s left out: %s' "$1" "$2")"); }

# bench LIMIT SHAPE: the benchmarks of a model of this shape with random weights; the numbers go to bench-SHAPE.json.
bench() { step "$1" "bench $2" "$root/belay" bench --device cuda --shape "$2" --seconds 8 -o "$out/bench-$2.json"; }

benchmarks() {
  local gpu disk
  bench 60 smollm2-135m
  pytorch smollm2-135m
  bench 80 qwen3-0.6b
  pytorch qwen3-0.6b
  gpu=$(nvidia-smi --query-gpu=memory.free --format=csv,noheader,nounits 2>/dev/null | sort -n | tail -n 1)
  disk=$(df --output=avail -m /tmp | tail -n 1)
  if [ "${gpu:-0}" -lt 22000 ] || [ "${disk:-0}" -lt 18000 ]; then
    left_out "bench llama3-8b" "it needs 22 GB on the GPU and 18 GB in /tmp; there are ${gpu:-0} and ${disk:-0} MB"
  else
    bench 150 llama3-8b
    left_out "pytorch llama3-8b" "to write its weights and load them twice takes too long"
  fi
}

# pytorch SHAPE: the same passes, decoding and sweep as loops of PyTorch and transformers, to compare with Belay's benchmark of the shape.
pytorch() {
  local peers=$root/tools/peers model=$out/model ids=$out/ids
  if ! python3 -c 'import torch, transformers, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    left_out "pytorch $1" "python3 has no torch with CUDA or no transformers"
    return
  fi
  rm -rf "$model"
  python3 -c 'import json, random; print(json.dumps([[random.randrange(49152) for _ in range(n)] for n in (96, 128, 160, 128)]))' >"$ids"
  step 30 "random model $1" "$root/tools/random-model" "$1" "$model"
  step 50 "pytorch bench $1" python3 "$peers/hf_bench.py" "$model" "$ids" "$out/pytorch-bench-$1.json" --device cuda
  step 50 "pytorch sweep $1" python3 "$peers/hf_sweep.py" "$model" "$ids" "$out/pytorch-sweep-$1.json" --device cuda --limit-heads 27
  rm -rf "$model" "$ids"
}

tests=("$java" --add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED -Dbelay.cuda.required=true
  "${libraries[@]}" -cp "$path" org.junit.platform.console.ConsoleLauncher execute
  --scan-class-path="$classes" --include-package=dev.belay.device.cuda --fail-if-no-tests --details=tree --disable-banner
  --disable-ansi-colors)

step 30 doctor "$root/belay" doctor
step 120 "kernel tests" "${tests[@]}"
for family in "$golden"/*/golden.safetensors; do
  folder=$(dirname "$family")
  for dtype in f32 bf16; do
    step 30 "verify $(basename "$folder") $dtype" "$root/belay" verify "$folder" --golden "$family" --device cuda --dtype $dtype
  done
done
step 60 demo "$root/belay" demo --device cuda --out "$out/demo"

if [ $softcuda = 1 ]; then
  left_out benchmarks "softcuda's time says nothing"
else
  benchmarks
fi

sanitizer=$(command -v compute-sanitizer || ls "${CUDA_HOME:-/none}/bin/compute-sanitizer" /usr/local/cuda/bin/compute-sanitizer 2>/dev/null | head -n 1)
# Last, as they slow the tests many times: what does not finish is said.
for tool in memcheck initcheck racecheck; do
  if [ $softcuda = 1 ]; then
    left_out "$tool" "softcuda checks all of it by itself"
  elif [ -z "$sanitizer" ]; then
    left_out "$tool" "compute-sanitizer is not installed (it is in the CUDA toolkit)"
  else
    # Some tests make calls that must fail.
    options=(--tool $tool --error-exitcode 9 --target-processes all)
    [ $tool = memcheck ] && options+=(--report-api-errors no)
    step 60 "$tool" "$sanitizer" "${options[@]}" "${tests[@]}"
  fi
done

# join SEPARATED...: the arguments with commas.
join() { local IFS=,; printf '%s' "$*" | sed 's/,/, /g'; }
{
  if [ ${#failed[@]} -gt 0 ]; then echo "FAILED: $(join "${failed[@]}")"; else echo "Nothing failed."; fi
  [ ${#unfinished[@]} -eq 0 ] || echo "Not finished: $(join "${unfinished[@]}")"
  printf '\n%s, %s, %d s%s\n\n' "$("$root/belay" --version)" "$(date -u +%Y-%m-%dT%H:%MZ)" $((SECONDS - start)) \
    "$([ $softcuda = 1 ] && echo ', on softcuda')"
  printf '%s\n' "${table[@]}"
  for name in "${failed[@]}" "${unfinished[@]}"; do
    [ -f "$out/${name// /-}.log" ] || continue
    printf '\n== %s: the end of %s\n\n' "$name" "${name// /-}.log"
    tail -n 60 "$out/${name// /-}.log"
  done
  printf '\n== doctor\n\n'
  cat "$out/doctor.log"
  if [ $softcuda = 0 ] && command -v nvidia-smi >/dev/null; then
    printf '\n== nvidia-smi\n\n'
    nvidia-smi --query-gpu=index,name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit,ecc.mode.current --format=csv
  fi
  printf '\n== processor\n\n%s, %d threads\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)"
  for file in "$out/demo.log" "$out"/bench-*.log "$out"/*.json; do
    [ -f "$file" ] || continue
    printf '\n== %s\n\n' "$(basename "$file")"
    cat "$file"
  done
} >"$out/report.txt"
head -n 2 "$out/report.txt"
echo "gpu-check: the report is $out/report.txt"
[ ${#failed[@]} -eq 0 ]
