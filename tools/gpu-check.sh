#!/usr/bin/env bash
# gpu-check.sh [--softcuda] [--minutes N] [--out FOLDER]: checks Belay on the GPU of this machine, in at most 8 minutes: what belay doctor
# says, every kernel test, every golden family in f32 and bf16, the demo, compute-sanitizer where it is installed, the benchmarks. Writes
# FOLDER/report.txt (gpu-check/report.txt by default), which says first what failed; beside it the output of each step. Exit code 0 if all
# was checked and nothing failed. Runs from a bundle made with tests (tools/bundle --with-tests) or from a checkout, which it builds.
#   --softcuda   on the CUDA device in software, without benchmarks and sanitizers (or SOFTCUDA=1); 60 minutes if --minutes does not say
#
# A check that fails or hangs is a failure. One that found no time left, or too little, is told apart, and the exit code is 1, too. A
# sanitizer or benchmark that is cut off, or a loop of PyTorch that fails, is told only. What the 480 seconds are for on a GPU, guessed and
# not measured on one (in brackets the limit of a step):
#   doctor                              3 (15)
#   kernel tests, 31 processes         51 (30 each)
#   golden families, 28 processes      45 (20 each)
#   demo, f32 and bf16                 20 (45 each)
#   tests of the whole, 5 processes    30 (60 each)
#   sanitizers, 3                      60 (50 each)
#   times of the kernels               20 (40)
#   free memory                         3 (15)
#   benchmarks of 3 models            130 (45, 45, 110)
#   whether there is PyTorch            7 (20)
#   PyTorch, 2 models                  68 (20, 30, 30 each), in what is left
#   sanitizers of the kernel tests, 3  90 (40 each), in what is left then
#   PyTorch, llama3-8b                 46 (20, 45, 45), in what is left then
# So with --minutes 12 nothing should be left out.
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
failed=() late=() unfinished=() table=()

# run LIMIT NAME COMMAND...: runs a command for at most LIMIT of the seconds that are left; its output goes to NAME.log. On softcuda it may
# take 40 times as long. Sets log, limit, took, short (whether less time was left than LIMIT) and code, which is "none" if there was no time
# to start.
running=''
trap '[ -z "$running" ] || kill -KILL -- "-$running"; exit 130' INT TERM
run() {
  local name=$2 left=$((deadline - SECONDS)) began=$SECONDS
  limit=$1 log=$out/${2// /-}.log
  shift 2
  [ $softcuda = 0 ] || limit=$((40 * limit))
  short=no
  [ "$limit" -le "$left" ] || limit=$left short=yes
  if [ "$limit" -lt 3 ]; then
    took=0 code=none
    return
  fi
  printf 'gpu-check: %s\n' "$name" >&2
  timeout -k 5 "$limit" "$@" >"$log" 2>&1 &
  running=$!
  wait $running
  code=$?
  # What the command started goes, too, where it did not end by itself.
  if cut_off; then kill -KILL -- "-$running" 2>/dev/null; fi
  running='' took=$((SECONDS - began))
}

cut_off() { [ "$code" = 124 ] || [ "$code" = 137 ]; }

# tell NAME RESULT: a line of the table.
tell() { table+=("$(printf '%-30s %s' "$1" "$2")"); }
left_out() { tell "$1" "left out: $2"; }
fail() { failed+=("$1") && tell "$1" "FAILED: $2"; }
miss() { late+=("$1") && tell "$1" "$2, as no time is left"; }
unfinish() { unfinished+=("$1") && tell "$1" "not finished: $2"; }

# check LIMIT NAME COMMAND...: what must succeed, in time.
check() {
  run "$@"
  case $code in
    0) tell "$2" "passed, $took s" ;;
    none) miss "$2" "NOT RUN" ;;
    124) if [ $short = yes ]; then miss "$2" "CUT OFF after $limit s"; else fail "$2" "did not end in $limit s"; fi ;;
    137) fail "$2" "was killed after $took s" ;;
    *) fail "$2" "exit code $code, $took s" ;;
  esac
}

# benchmark LIMIT NAME COMMAND...: what may be cut off. False if it failed, which is for the caller to tell.
benchmark() {
  run "$@"
  case $code in
    0) tell "$2" "done, $took s" ;;
    none) unfinish "$2" "not run, as no time is left" ;;
    124 | 137) unfinish "$2" "cut off after $took s" ;;
    *) return 1 ;;
  esac
}

# measure LIMIT NAME COMMAND...: a benchmark of Belay. One of a model that it does not support is left out.
measure() {
  local unsupported
  benchmark "$@" && return
  unsupported=$(sed -n 's/^belay: \(shape .* is not supported\).*/\1/p' "$log")
  if [ -n "$unsupported" ]; then left_out "$2" "$unsupported"; else fail "$2" "exit code $code, $took s"; fi
}

# peer LIMIT NAME COMMAND...: a benchmark of another program. If it fails, Belay did not: its last line is told.
peer() { benchmark "$@" || unfinish "$2" "exit code $code, $took s: $(tr '\r' '\n' <"$log" | grep . | tail -n 1 | cut -c 1-200)"; }

# findings LOG: whether a sanitizer found something, also if it was cut off.
findings() {
  grep '^=========' "$1" | grep -Evq "^=========( *| COMPUTE-SANITIZER.*| .*SUMMARY: 0 .*| Error: process didn.t terminate.*)$"
}

# sanitize LIMIT NAME TOOL CLASS [ARGUMENT...]: a Java class under a tool of compute-sanitizer. A call that the driver refuses ends the
# process anyway.
sanitize() {
  local options=(--tool "$3" --error-exitcode 9 --target-processes all)
  [ "$3" != memcheck ] || options+=(--report-api-errors no)
  run "$1" "$2" "$sanitizer" "${options[@]}" "${java[@]}" "${@:4}"
  if [ "$code" = none ]; then
    unfinish "$2" "not run, as no time is left"
  elif findings "$log"; then
    fail "$2" "found something, $took s"
  elif [ "$code" = 0 ]; then
    tell "$2" "passed, $took s"
  elif cut_off; then
    unfinish "$2" "cut off after $took s, having found nothing"
  else
    fail "$2" "exit code $code, $took s"
  fi
}

# sanitizers LIMIT WHAT CLASS [ARGUMENT...]: the same under each tool; WHAT is behind its name.
sanitizers() {
  local tool
  for tool in memcheck racecheck initcheck; do
    if [ $softcuda = 1 ]; then
      left_out "$tool$2" "softcuda checks all of it by itself"
    elif [ -z "$sanitizer" ]; then
      left_out "$tool$2" "compute-sanitizer is not installed (it is in the CUDA toolkit)"
    else
      sanitize "$1" "$tool$2" $tool "${@:3}"
    fi
  done
}

# bench LIMIT SHAPE: the benchmarks of a model of this shape with random weights; the numbers go to bench-SHAPE.json.
bench() { measure "$1" "bench $2" "$root/belay" bench --device cuda --shape "$2" --seconds 3 -o "$out/bench-$2.json"; }

# largest NAME COMMAND...: runs the command, on the largest model, if the GPU has room.
largest() {
  if [ -z "$gpu" ]; then
    unfinish "$1" "not run, as it is not known how much memory is free"
  elif [ "$gpu" -lt 22000 ]; then
    left_out "$1" "it needs 22 GB on the GPU; there are $gpu MB"
  else
    "${@:2}"
  fi
}

bench_largest() {
  local disk
  disk=$(df --output=avail -m /tmp | tail -n 1)
  if [ "${disk:-0}" -lt 18000 ]; then
    left_out "bench llama3-8b" "it needs 18 GB in /tmp; there are ${disk:-0} MB"
  else
    bench 110 llama3-8b
  fi
}

benchmarks() {
  measure 40 "kernel times" "${java[@]}" dev.belay.device.cuda.KernelReport time 8 "$out/kernel-times.json"
  bench 45 smollm2-135m
  bench 45 qwen3-0.6b
  measure 15 "free memory" bash -c '"$1" doctor --json >"$2"' doctor "$root/belay" "$out/doctor.json"
  if [ "$code" = 0 ]; then
    # Of the first GPU that can be used, which bench takes.
    gpu=$(awk '/"uuid"/ {gpu = 1} gpu && /"usable" : true/ {usable = 1}
      usable && /"memory_free"/ {gsub(/[^0-9]/, ""); print int($0 / 1e6); exit}' "$out/doctor.json")
    gpu=${gpu:-0}
  fi
  largest "bench llama3-8b" bench_largest
}

# pytorch SHAPE: the same passes, decoding and sweep as loops of PyTorch and transformers, to compare with Belay's benchmark of the shape.
# To write 16 GB of weights and load them twice takes too long: those of the largest are made on the GPU, as their values change no time.
pytorch() {
  local peers=$root/tools/peers model=$out/model ids=$out/ids most=30 random=()
  case $torch in
    0) ;;
    none) unfinish "pytorch $1" "not run, as no time is left" && return ;;
    124 | 137) unfinish "pytorch $1" "not run, as python3 did not load torch in time" && return ;;
    *) left_out "pytorch $1" "python3 has no torch with CUDA or no transformers" && return ;;
  esac
  rm -rf "$model"
  if [ "$1" = llama3-8b ]; then
    most=45 random=(--random)
    measure 20 "config of $1" "$root/tools/random-model" "$1" "$model" --config-only
  else
    measure 20 "random model $1" "$root/tools/random-model" "$1" "$model"
  fi
  if [ "$code" != 0 ]; then
    unfinish "pytorch $1" "not run, as its model was not made"
    rm -rf "$model"
    return
  fi
  python3 -c 'import json, random; print(json.dumps([[random.randrange(49152) for _ in range(n)] for n in (96, 128, 160, 128)]))' >"$ids"
  peer $most "pytorch bench $1" python3 "$peers/hf_bench.py" "$model" "$ids" "$out/pytorch-bench-$1.json" --device cuda "${random[@]}"
  peer $most "pytorch sweep $1" python3 "$peers/hf_sweep.py" "$model" "$ids" "$out/pytorch-sweep-$1.json" --device cuda --limit-heads 27 \
    "${random[@]}"
  rm -rf "$model" "$ids"
}

# test_class LIMIT CLASS: the tests of a class of dev.belay. Each in a process of its own, as a failed kernel spoils the GPU for its
# process.
test_class() {
  check "$1" "${2##*.}" "${java[@]}" org.junit.platform.console.ConsoleLauncher execute --select-class="dev.belay.$2" \
    --fail-if-no-tests --details=tree --disable-banner --disable-ansi-colors
}

java=("$java" --add-modules=jdk.incubator.vector --enable-native-access=ALL-UNNAMED -Dbelay.cuda.required=true -Dbelay.device=cuda
  "${libraries[@]}" -cp "$path")

check 15 doctor "$root/belay" doctor
for test in "$classes"/dev/belay/device/cuda/*Test.class; do
  test=$(basename "$test" .class)
  if [ "$test" = CudaKernelTrafficTest ]; then
    left_out "$test" "it counts on softcuda, whatever the GPU"
  else
    test_class 30 "device.cuda.$test"
  fi
done
# Those of kernels that every device has a counterpart of.
for test in LogitScoresTest MixtureTest; do test_class 30 device.$test; done
for family in "$golden"/*/golden.safetensors; do
  folder=$(dirname "$family")
  for dtype in f32 bf16; do
    check 20 "verify $(basename "$folder") $dtype" "$root/belay" verify "$folder" --golden "$family" --device cuda --dtype $dtype
  done
done
# On softcuda attention in float32, without tensor cores, takes long.
for dtype in $([ $softcuda = 1 ] || echo f32) bf16; do
  check 45 "demo $dtype" bash -c '"$1" demo --device cuda --dtype "$2" --out "$3" && shift 3 && "$@"' demo "$root/belay" $dtype \
    "$out/demo-$dtype" "${java[@]}" dev.belay.cli.DemoStory "$out/demo-$dtype"
done
for test in forward.FamilyGoldenTest cliff.CliffGoldenTest cliff.CliffBfloat16Test cliff.FamilySweepTest cliff.BatchIndependenceTest; do
  if [ $softcuda = 1 ]; then
    left_out "${test#*.}" "./belay test runs it on softcuda"
  else
    test_class 60 $test
  fi
done

sanitizer=$(command -v compute-sanitizer || ls "${CUDA_HOME:-/none}/bin/compute-sanitizer" /usr/local/cuda/bin/compute-sanitizer 2>/dev/null | head -n 1)
# Each kernel once, which takes little time and tells most.
sanitizers 50 "" dev.belay.device.cuda.KernelReport run

gpu='' torch=''
if [ $softcuda = 1 ]; then
  left_out benchmarks "softcuda's time says nothing"
else
  benchmarks
  run 20 torch python3 -c 'import torch, transformers, sys; sys.exit(not torch.cuda.is_available())'
  torch=$code
  pytorch smollm2-135m
  pytorch qwen3-0.6b
fi
# All sizes, which takes longer.
sanitizers 40 " of the kernel tests" org.junit.platform.console.ConsoleLauncher execute --select-package=dev.belay.device \
  --include-tag=kernel --fail-if-no-tests --details=tree --disable-banner --disable-ansi-colors
[ $softcuda = 1 ] || largest "pytorch llama3-8b" pytorch llama3-8b

# excerpt LOG: of tests the first failures, of a sanitizer what it found first, else the last lines.
excerpt() {
  if grep -q '^Failures (' "$1"; then
    sed -n '/^Failures (/,$p' "$1" | head -n 40
  elif grep -q '^=========' "$1"; then
    grep '^=========' "$1" | head -n 40
  else
    tail -n 40 "$1"
  fi
}

# join SEPARATED...: the arguments with commas.
join() { local IFS=,; printf '%s' "$*" | sed 's/,/, /g'; }
{
  if [ ${#failed[@]} -gt 0 ]; then
    echo "FAILED: $(join "${failed[@]}")"
  elif [ ${#late[@]} -gt 0 ]; then
    echo "Nothing failed, but not all was checked: give more --minutes than $minutes."
  else
    echo "Nothing failed."
  fi
  [ ${#late[@]} -eq 0 ] || echo "No time left for: $(join "${late[@]}")"
  [ ${#unfinished[@]} -eq 0 ] || echo "Not finished: $(join "${unfinished[@]}")"
  printf '\n%s, %s, %d s%s\n\n' "$("$root/belay" --version)" "$(date -u +%Y-%m-%dT%H:%MZ)" $((SECONDS - start)) \
    "$([ $softcuda = 1 ] && echo ', on softcuda')"
  printf '%s\n' "${table[@]}"
  for name in "${failed[@]}" "${unfinished[@]}"; do
    [ -f "$out/${name// /-}.log" ] || continue
    printf '\n== %s: from %s\n\n' "$name" "${name// /-}.log"
    excerpt "$out/${name// /-}.log"
  done
  printf '\n== doctor\n\n'
  cat "$out/doctor.log"
  if [ $softcuda = 0 ] && command -v nvidia-smi >/dev/null; then
    printf '\n== nvidia-smi\n\n'
    nvidia-smi --query-gpu=index,name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit,ecc.mode.current --format=csv
  fi
  printf '\n== processor\n\n%s, %d threads\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)"
  for file in "$out"/demo-*.log "$out/kernel-times.log" "$out"/bench-*.log "$out"/*.json; do
    [ -f "$file" ] || continue
    printf '\n== %s\n\n' "$(basename "$file")"
    cat "$file"
  done
} >"$out/report.txt"
sed '/^$/,$d' "$out/report.txt"
echo "gpu-check: the report is $out/report.txt"
[ $((${#failed[@]} + ${#late[@]})) -eq 0 ]
