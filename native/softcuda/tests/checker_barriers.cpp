// Barriers that not all threads reach, named barriers used rightly and wrongly, collectives with absent lanes.
#include "checker_cases.h"

using cases::Case;
using cases::clean;
using cases::counting;
using cases::Run;

namespace {

using Words = std::vector<unsigned>;

constexpr unsigned kAll = 0xffffffffu, kLow = 0xffffu;

template <class... T>
std::function<void(Run&)> launch(unsigned blocks, unsigned threads, Words expected, T... arguments) {
    return [=](Run& r) {
        r.grid = blocks, r.block = threads;
        CUdeviceptr out = r.fresh(4 * blocks * threads);
        r.argument(out);
        (r.argument(arguments), ...);
        r.expect(out, expected);
    };
}

Case divergent(std::string name, const char* kernel, std::function<void(Run&)> setup, const char* what, const char* where = "") {
    return {std::move(name), kernel, std::move(setup), "divergent barrier", what, where, CUDA_ERROR_LAUNCH_FAILED};
}

Case absent(std::string name, const char* kernel, std::function<void(Run&)> setup, const char* where = "") {
    return {std::move(name), kernel, std::move(setup), "bad collective", "lane", where, CUDA_ERROR_LAUNCH_FAILED};
}

Case race(std::string name, const char* kernel, std::function<void(Run&)> setup) {
    return {std::move(name), kernel, std::move(setup), "shared memory race", "byte \\d+ of shared", "", CUDA_ERROR_LAUNCH_FAILED};
}

Words twice(Words words) {
    size_t count = words.size();
    for (size_t k = 0; k < count; k++) words.push_back(words[k]);
    return words;
}

std::vector<Case> blockBarriers() {
    const char* kWaits = "barrier 0 waits for ever: 32 of 64 threads arrived";
    return {
        divergent("a warp exits early", "early_exit", launch(1, 64, {}, 32), "barrier 0 waits for ever.*warp 1 has ended", "thread \\(0,"),
        clean("no warp exits", "early_exit", launch(1, 64, counting(64), 64)),
        clean("all warps exit", "early_exit", launch(1, 64, {}, 0)),
        clean("a block exits early", "blocks_exit", launch(3, 64, twice(counting(64)), 2)),
        divergent("half a warp", "lanes_diverge", launch(1, 64, {}, 16), "barrier 0 is reached by 16 of the 32 threads"),
        divergent("all lanes but one", "lanes_diverge", launch(1, 32, {}, 31), "barrier 0 is reached by 31 of the 32", "thread \\(31,"),
        clean("all lanes", "lanes_diverge", launch(1, 64, twice(counting(32)), 32)),
        clean("no lane", "lanes_diverge", launch(1, 64, twice(counting(32)), 0)),
        divergent("one warp", "warps_diverge", launch(1, 64, {}, 1), kWaits, "thread \\(0,"),
        clean("both warps", "warps_diverge", launch(1, 64, counting(64), 2)),
        clean("a block that is no multiple of a warp", "warps_diverge", launch(1, 41, counting(41), 2)),
        divergent("one round more", "rounds_differ", launch(1, 64, {}, 1), kWaits, "thread \\(0,"),
        clean("as many rounds", "rounds_differ", launch(1, 64, counting(64), 0)),
        clean("votes", "count_votes", launch(1, 64, Words(64, 1040), 40)),
        clean("votes of a smaller block", "count_votes", launch(1, 48, Words(48, 10040), 40)),
        divergent("half a warp at its barrier", "warp_barrier", launch(1, 32, {}, 16, kAll), "bar.warp.sync"),
        divergent("lanes not named at their barrier", "warp_barrier", launch(1, 32, {}, 32, kLow), "bar.warp.sync", "thread \\(16,"),
        clean("a barrier of half a warp", "warp_barrier", launch(1, 32, counting(16), 16, kLow)),
        clean("a barrier of a warp", "warp_barrier", launch(1, 32, counting(32), 32, kAll)),
    };
}

std::vector<Case> namedBarriers() {
    Words sums(32), threes(96, 31);
    for (unsigned k = 0; k < 32; k++) sums[k] = 4 * k + 6;
    for (unsigned k = 0; k < 64; k++) threes[k] = 63 - k;
    const char* kWaits = "barrier 1 waits for ever: 32 of 64 threads arrived";
    return {
        clean("producer and consumer", "pipe", launch(1, 64, sums, 4)),
        race("filled before it was read", "pipe_without_empty", launch(1, 64, {})),
        race("read before it was filled", "pipe_without_full", launch(1, 64, {})),
        divergent("producer never arrives", "pipe_never_full", launch(1, 64, {}, 0), kWaits, "thread \\(32,"),
        divergent("producer arrives elsewhere", "pipe_never_full", launch(1, 64, {}, 2), kWaits, "thread \\(32,"),
        clean("producer arrives", "pipe_never_full", launch(1, 64, {}, 1)),
        divergent("different thread counts", "counts_differ", launch(1, 96, {}), "barrier 1 is in use for (64|96) threads"),
        race("a barrier of two warps does not order a third", "two_of_three", launch(1, 96, {}, 0)),
        clean("a barrier of all does", "two_of_three", launch(1, 96, threes, 1)),
        clean("order is passed on", "relay", launch(1, 96, counting(32))),
    };
}

std::vector<Case> collectives() {
    Words three(32, 0), odd(32, 0), sixteen(32, 0), flipped(32, 0);
    for (unsigned k = 0; k < 16; k++) three[k] = 3, odd[k] = 0xaaaa, sixteen[k] = 16, flipped[k] = k ^ 8;
    return {
        absent("shuffle without half of its lanes", "shuffle", launch(1, 32, {}, 16, kAll), "thread \\(16,"),
        absent("shuffle with lanes that are not named", "shuffle", launch(1, 32, {}, 32, kLow), "thread \\(16,"),
        clean("shuffle of half a warp", "shuffle", launch(1, 32, three, 16, kLow)),
        clean("shuffle of a warp", "shuffle", launch(1, 32, Words(32, 3), 32, kAll)),
        clean("shuffle of a short warp", "shuffle", launch(1, 20, Words(20, 3), 32, kAll)),
        absent("ballot without half of its lanes", "ballot", launch(1, 32, {}, 16, kAll), "thread \\(16,"),
        clean("ballot of half a warp", "ballot", launch(1, 32, odd, 16, kLow)),
        absent("reduction without one of its lanes", "reduce", launch(1, 32, {}, 31, kAll), "thread \\(31,"),
        clean("reduction of half a warp", "reduce", launch(1, 32, sixteen, 16, kLow)),
        absent("shuffle from a lane that is absent", "shuffle_from", launch(1, 32, {}, 16, kLow, 16)),
        clean("shuffle after some lanes have ended", "shuffle_after_exit", launch(1, 32, Words(20, 3), 20)),
        clean("shuffle from a lane that is there", "shuffle_from", launch(1, 32, flipped, 16, kLow, 8)),
    };
}

}  // namespace

int main(int, char** argv) {
    cases::Suite suite(argv[1], "checker_barriers");
    for (const auto& list : {blockBarriers(), namedBarriers(), collectives()})
        for (const Case& c : list) suite.run(c);
    return report("checker_barriers");
}
