// Races in shared memory between warps and between lanes, and how they are avoided.
#include "checker_cases.h"

using cases::Case;
using cases::clean;
using cases::counting;
using cases::Run;

namespace {

// A launch of one block whose kernel takes `out` and these integers.
template <class... T>
std::function<void(Run&)> block(unsigned threads, std::vector<unsigned> expected, T... arguments) {
    return [=](Run& r) {
        r.block = threads;
        CUdeviceptr out = r.fresh(4 * std::max<size_t>(threads, expected.size()));
        r.argument(out);
        (r.argument(arguments), ...);
        r.expect(out, expected);
    };
}

Case race(std::string name, const char* kernel, std::function<void(Run&)> setup, const char* what = "of shared memory") {
    return {std::move(name), kernel, std::move(setup), "shared memory race", what, "block \\(0,0,0\\)", CUDA_ERROR_LAUNCH_FAILED};
}

std::vector<unsigned> ramp(size_t count, unsigned factor, unsigned start) {
    std::vector<unsigned> words(count);
    for (size_t k = 0; k < count; k++) words[k] = static_cast<unsigned>(k) * factor + start;
    return words;
}

std::vector<Case> betweenWarps() {
    using Words = std::vector<unsigned>;
    const char* kWarp = "byte \\d+ of shared memory.*warp [01]\\b";
    return {
        race("two writes", "write_write", block(64, {}), kWarp),
        race("write and read", "exchange_unsynced", block(64, {}), kWarp),
        clean("write, barrier, read", "exchange_synced", block(64, counting(64))),
        race("read and write", "read_write", block(64, {}), kWarp),
        clean("read, barrier, write", "read_write_synced", block(64, counting(64))),
        clean("bytes of the same words", "bytes_of_words", block(64, counting(64))),
        race("a byte of another warp's word", "byte_of_another_word", block(64, {}), kWarp),
        clean("reads only", "read_only", block(96, Words(96, 496))),
        clean("atomics on one word", "atomics", block(96, Words(96, 96))),
        race("read beside atomics", "read_beside_atomics", block(64, {}), kWarp),
        race("one buffer, one barrier a step", "one_buffer", block(64, {}, 3), kWarp),
        clean("one buffer, one step", "one_buffer", block(64, ramp(64, ~0u, 63), 1)),
        clean("one buffer, two barriers a step", "one_buffer_two_barriers", block(64, ramp(64, 4, 6), 4)),
        clean("two buffers, one barrier a step", "two_buffers", block(64, ramp(64, 4, 6), 4)),
        race("scratch memory used twice", "reduce_twice", block(64, {}), kWarp),
        clean("scratch memory used twice, with barriers", "reduce_twice_synced", block(64, Words(64, 4032))),
    };
}

std::vector<Case> withinWarp() {
    const char* kLane = "byte \\d+ of shared memory.*lane \\d+";
    return {
        race("exchange in a warp", "warp_exchange", block(32, {}), kLane),
        clean("exchange in a warp with __syncwarp", "warp_exchange_synced", block(32, counting(32))),
        clean("exchange in a warp with a shuffle", "warp_exchange_shuffled", block(32, counting(32))),
        clean("each lane in its own place", "warp_own_place", block(32, ramp(32, 4, 0))),
        race("read and overwrite in a warp", "warp_read_write", block(32, {}), kLane),
        race("reduction in a warp", "warp_reduce", block(32, {}), kLane),
        clean("reduction in a warp with __syncwarp", "warp_reduce_synced", block(32, {496})),
        race("different values to one place", "one_place", block(32, {}, 1u), kLane),
        clean("the same value to one place", "one_place", block(32, std::vector<unsigned>(32, 5), 0u)),
        race("half of a warp reads the other", "half_warps", block(32, {}, 16u), kLane),
        clean("each half of a warp by itself", "half_warps", block(32, counting(32), 5u)),
        race("ldmatrix of fresh rows", "load_matrix", block(32, {}, 0), kLane),
        clean("ldmatrix after __syncwarp", "load_matrix", block(32, counting(32), 1)),
    };
}

}  // namespace

int main(int, char** argv) {
    cases::Suite suite(argv[1], "checker_races");
    for (const auto& list : {betweenWarps(), withinWarp()})
        for (const Case& c : list) suite.run(c);
    return report("checker_races");
}
