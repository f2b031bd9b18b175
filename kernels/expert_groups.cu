// The pairs of a token and one of its experts, t * k + i, by expert: those of expert e are pairs[offsets[e] .. offsets[e + 1]), by rising
// number, and places is the inverse of pairs.
//
// Shapes      experts int [P], each from 0 to E - 1; offsets int [E + 1], pairs int [P], places int [P]; any P from 1 on, any E.
// Numbers     Counts, without atomic operations: the order does not depend on which block runs first.
// Geometry    One block an expert: grid (E), 32 to 1024 threads, whole warps; ceil(P / 4) makes it four pairs a thread.
// Memory      Every block reads `experts` twice, in whole sectors, from the L2 cache but for the first: to count the pairs of smaller
//             experts, which is where its own begin, and to write its own. `places` is written one number at a time. 256 bytes of shared
//             memory.
#include "common.cuh"

namespace expert_groups {

// Pairs of smaller experts, and of this one, in a warp's part.
struct Counts {
    int smaller, own;
};

__device__ __forceinline__ Counts countOf(const int* experts, int first, int end) {
    Counts counts = {0, 0};
    for (int i = first + static_cast<int>(threadIdx.x) % WARP; i < end; i += WARP) {
        counts.smaller += experts[i] < blockIdx.x;
        counts.own += experts[i] == blockIdx.x;
    }
    return {warpSum(counts.smaller), warpSum(counts.own)};
}

}  // namespace expert_groups

extern "C" __global__ void __launch_bounds__(1024)
    belay_expert_groups(const int* __restrict__ experts, int count, int* __restrict__ offsets, int* __restrict__ pairs,
                        int* __restrict__ places) {
    __shared__ expert_groups::Counts ofWarp[MAX_WARPS];
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
    // A part is whole warps' worth of pairs.
    const int part = ((count + warps - 1) / warps + WARP - 1) / WARP * WARP;
    const int first = min(warp * part, count), end = min(first + part, count);
    const expert_groups::Counts counts = expert_groups::countOf(experts, first, end);
    if (lane == 0) {
        ofWarp[warp] = counts;
    }
    __syncthreads();
    const expert_groups::Counts others = lane < warps ? ofWarp[lane] : expert_groups::Counts{0, 0};
    const int begin = warpSum(others.smaller);
    if (threadIdx.x == 0) {
        offsets[blockIdx.x] = begin;
        if (blockIdx.x == gridDim.x - 1) {
            offsets[gridDim.x] = count;
        }
    }
    int place = begin + warpSum(lane < warp ? others.own : 0);
    for (int base = first; base < end; base += WARP) {
        const int i = base + lane;
        const bool own = i < end && experts[i] == blockIdx.x;
        const unsigned all = __ballot_sync(ALL_LANES, own);
        if (own) {
            const int target = place + __popc(all & ((1u << lane) - 1));
            pairs[target] = i;
            places[i] = target;
        }
        place += __popc(all);
    }
}
