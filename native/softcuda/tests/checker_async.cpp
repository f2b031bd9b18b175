// cp.async: what is used before its wait is found, and lands no earlier; pipelines that are right pass.
#include <array>

#include "checker_cases.h"

using cases::Case;
using cases::clean;
using cases::counting;
using cases::Run;

namespace {

using Words = std::vector<unsigned>;

// `threads` uint4 out, `in` words in, and these integers.
template <class... T>
std::function<void(Run&)> copies(unsigned threads, size_t in, Words expected, T... arguments) {
    return [=](Run& r) {
        r.block = threads;
        CUdeviceptr out = r.fresh(threads * 16);
        r.argument(out);
        r.argument(r.words(in));
        (r.argument(arguments), ...);
        r.expect(out, expected);
    };
}

Case found(std::string name, const char* kernel, std::function<void(Run&)> setup, const char* kind, const char* what = "shared memory",
           CUresult result = CUDA_ERROR_LAUNCH_FAILED) {
    return {std::move(name), kernel, std::move(setup), kind, what, "block \\(0,0,0\\)", result};
}

const char* const kMissing = "missing cp.async wait";
const char* const kRace = "shared memory race";
const char* const kEither = "missing cp.async wait|shared memory race";

std::vector<Case> waits() {
    return {
        found("no wait", "no_wait", copies(32, 128, {}), kMissing, "cp.async of warp 0, lane 0"),
        found("no commit", "no_commit", copies(32, 128, {}), kMissing),
        clean("wait for all needs no commit", "wait_all", copies(32, 128, counting(128))),
        clean("commit and wait", "wait_group", copies(32, 128, counting(128))),
        found("second of two groups", "two_groups", copies(32, 256, {}, 1), kMissing),
        clean("first of two groups", "two_groups", copies(32, 256, counting(128), 0)),
        found("no barrier after the wait", "no_barrier", copies(64, 256, {}), kEither),
        clean("wait, then barrier", "wait_and_barrier", copies(64, 256, counting(256))),
        found("barrier, then wait", "barrier_and_wait", copies(64, 256, {}), kEither),
        found("another lane's copy", "no_warp_barrier", copies(32, 128, {}, 0), kRace),
        clean("another lane's copy after __syncwarp", "no_warp_barrier", copies(32, 128, counting(128), 1)),
        found("write over a copy on its way", "write_in_flight", copies(32, 128, {}), kEither),
        clean("write after the wait", "write_after_wait", copies(32, 128, counting(128))),
    };
}

std::vector<Case> addresses() {
    auto at = [](size_t words, long long from, int to) { return copies(32, words, {}, from, to); };
    auto partlyWritten = [](Run& r) {
        r.argument(r.fresh(512));
        CUdeviceptr in = r.fresh(512);
        MUST(cuMemcpyHtoD(in, counting(128).data(), 500));
        r.argument(in);
        r.argument(0ll);
        r.argument(0);
    };
    Words tail = counting(128);
    for (size_t k = 70; k < 128; k++) tail[k] = 0;
    CUresult illegal = CUDA_ERROR_ILLEGAL_ADDRESS, misaligned = CUDA_ERROR_MISALIGNED_ADDRESS;
    return {
        found("source past the end", "copy_at", at(127, 0, 0), "out of bounds", "12 of its 16 bytes|4 of its 16 bytes", illegal),
        found("source before the start", "copy_at", at(128, -16, 0), "out of bounds", "allocation", illegal),
        found("source misaligned", "copy_at", at(132, 4, 0), "misaligned address", "0x", misaligned),
        found("source not written", "copy_at", partlyWritten, "uninitialized read", "byte 496 of allocation"),
        found("target past the end", "copy_at", at(128, 0, 16), "out of bounds", "shared memory", illegal),
        found("target misaligned", "copy_at", at(128, 0, 8), "misaligned address", "shared memory", misaligned),
        clean("source and target", "copy_at", copies(32, 132, counting(128, 4), 16ll, 0)),
        clean("nothing is read past the tail", "copy_tail", copies(32, 70, tail, 280)),
    };
}

// Sums over the tiles, word by word.
Words tileSums(unsigned tiles) {
    Words sums(256);
    for (unsigned k = 0; k < 256; k++) sums[k] = tiles * k + 256 * (tiles * (tiles - 1) / 2);
    return sums;
}

std::vector<Case> pipelines() {
    auto tiles = [](unsigned count, Words expected = {}) { return copies(64, count * 256, expected, static_cast<int>(count)); };
    return {
        clean("two stages", "two_stages", tiles(5, tileSums(5))),
        clean("two stages, one tile", "two_stages", tiles(1, tileSums(1))),
        found("two stages, wait too little", "two_stages_wait_too_little", tiles(5), kMissing),
        found("two stages, one barrier", "two_stages_one_barrier", tiles(5), kEither),
        clean("three stages", "three_stages", tiles(5, tileSums(5))),
        clean("three stages, one tile", "three_stages", tiles(1, tileSums(1))),
        found("three stages, last tile", "three_stages_last_tile", tiles(4), kMissing),
        clean("two stages with the pipeline's primitives", "two_stages_primitives", tiles(5, tileSums(5))),
    };
}

void landing(const std::string& build) {
    struct Pair {
        unsigned before, after;
    };
    Pair* pairs = cases::sharedWithChildren<std::array<Pair, 32>>().data();
    cases::Child child = cases::inChild([&] {
        cases::configure("report", 1);
        openContext();
        Run r;
        MUST(cuModuleLoadData(&r.module, readFile(build + "/tests/kernels/checker_async.ptx").c_str()));
        MUST(cuModuleGetFunction(&r.function, r.module, "lands_at_wait"));
        CUdeviceptr out = r.fresh(256);
        r.argument(out);
        r.argument(r.words(32));
        MUST(r.launchAndWait());
        Words words = download<unsigned>(out, 64);
        for (size_t k = 0; k < 32; k++) pairs[k] = {words[k], words[32 + k]};
        r.release();
    });
    CHECK(child.ended(), "%s", child.errors.c_str());
    CHECK(child.errors.find(kMissing) != std::string::npos, "%s", child.errors.c_str());
    for (unsigned k = 0; k < 32; k++)
        CHECK(pairs[k].before == 1000 + k && pairs[k].after == k, "lane %u: %u, then %u", k, pairs[k].before, pairs[k].after);
}

}  // namespace

int main(int, char** argv) {
    cases::Suite suite(argv[1], "checker_async");
    for (const auto& list : {waits(), addresses(), pipelines()})
        for (const Case& c : list) suite.run(c);
    landing(argv[1]);
    return report("checker_async");
}
