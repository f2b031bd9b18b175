// experts[t, :], shares[t, :] = the k largest of logits[t, :] and their softmax: which experts compute a token, and with which weight.
//
// Shapes      logits f32 [T, E], experts int [T, k] by rising number, shares f32 [T, k]; any E, k from 1 to E. normalized 0 or 1.
// Numbers     Of equal logits the expert with the smaller number is the larger one, as on the CPU device; not a number is the smallest.
//             The share is e / S with e = expf(logit - largest) (error at most 1 ulp in CUDA's table) and S the sum of all e or, where
//             normalized, of those of the chosen, in float32: each lane of a warp sums every 32nd, then the lanes' sums are added in a
//             fixed order. IEEE quotient.
// Geometry    Blocks of 128 threads, a warp a token: grid (ceil(T / 4)).
// Memory      A token's logits are read k + 2 times in whole sectors, from the L1 cache but for the first: k times for the next largest
//             below the last one found, which is the only thing kept, once for the sums, and once to write the chosen in their order.
#include "common.cuh"

namespace router {

constexpr int WARPS = 4;
constexpr int THREADS = WARPS * WARP;

// An integer that rises with the logit and falls with the expert: larger than 0, and all those of a token differ.
__device__ __forceinline__ uint64_t rank(float logit, int expert) {
    // Adding 0 makes -0 a 0.
    const uint32_t bits = __float_as_uint(logit + 0.0f);
    const uint32_t order = isnan(logit) ? 0 : (bits & 0x80000000u ? ~bits : bits | 0x80000000u);
    return static_cast<uint64_t>(order) << 32 | ~static_cast<uint32_t>(expert);
}

// The largest rank below `bound`, in every lane.
__device__ __forceinline__ uint64_t largestBelow(uint64_t bound, const float* logits, int count) {
    uint64_t best = 0;
    for (int e = threadIdx.x % WARP; e < count; e += WARP) {
        const uint64_t own = rank(logits[e], e);
        best = own < bound && own > best ? own : best;
    }
#pragma unroll
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        const uint64_t other = __shfl_xor_sync(ALL_LANES, best, distance);
        best = other > best ? other : best;
    }
    return best;
}

}  // namespace router

extern "C" __global__ void __launch_bounds__(router::THREADS)
    belay_router_f32(const float* __restrict__ logits, int tokens, int count, int top, int normalized, int* __restrict__ experts,
                     float* __restrict__ shares) {
    const int token = blockIdx.x * router::WARPS + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (token >= tokens) {
        return;
    }
    logits += static_cast<size_t>(token) * count;
    experts += static_cast<size_t>(token) * top;
    shares += static_cast<size_t>(token) * top;
    uint64_t last = router::largestBelow(UINT64_MAX, logits, count);
    const float largest = logits[~static_cast<uint32_t>(last)];
    for (int i = 1; i < top; i++) {
        last = router::largestBelow(last, logits, count);
    }
    float sum = 0.0f;
    for (int e = lane; e < count; e += WARP) {
        if (normalized == 0 || router::rank(logits[e], e) >= last) {
            sum += expf(logits[e] - largest);
        }
    }
    sum = warpSum(sum);
    int before = 0;
    for (int first = 0; first < count; first += WARP) {
        const int e = first + lane;
        const bool chosen = e < count && router::rank(logits[e], e) >= last;
        const unsigned all = __ballot_sync(ALL_LANES, chosen);
        if (chosen) {
            const int place = before + __popc(all & ((1u << lane) - 1));
            experts[place] = e;
            shares[place] = expf(logits[e] - largest) / sum;
        }
        before += __popc(all);
    }
}
