// scores[n] = logits[r, tokens[n]] - log(sum_v exp(logits[r, v])) for first[r] <= n < first[r + 1]: the log-likelihoods of given tokens.
//
// Shapes      logits f32 [R, V], first int [R + 1] rising from 0 to N, tokens int [N] below V, scores f32 [N]; any V from 1 on, any number
//             of tokens for a row.
// Numbers     A thread holds the largest of its logits and the sum of exp(logit - largest) in float64, where each vector of an access adds
//             expf's (1 ulp) with float32 sums. The threads' sums are rescaled to the largest of all and added pairwise, and logarithm
//             and difference are float64; the score rounds to float32: some 1e-6 and half a unit. Not a number where a logit is none, where
//             one is infinite, or where all are -infinity; a token of -infinity beside numbers scores -infinity.
// Geometry    One block a row: grid (R), 32 to 1024 threads, whole warps.
// Memory      A row is read once, in accesses of 16 bytes, two at a time, where V is a multiple of 4 and the address one of 16 bytes.
#include <float.h>

#include "common.cuh"

namespace logit_score {

// Vectors that a thread asks for at a time.
constexpr int AHEAD = 2;

// Of some logits the largest, and sum of exp(logit - largest).
struct Part {
    float largest = -FLT_MAX;
    double sum = 0.0;

    // The same sum over a larger largest.
    __device__ __forceinline__ void raise(float to) {
        if (to > largest) {
            sum *= exp(static_cast<double>(largest) - static_cast<double>(to));
            largest = to;
        }
    }

    __device__ __forceinline__ void add(const Part& other) {
        Part rest = other;
        raise(other.largest);
        rest.raise(largest);
        sum += rest.sum;
    }

    __device__ __forceinline__ Part ofLane(int distance) const {
        Part other;
        other.largest = __shfl_xor_sync(ALL_LANES, largest, distance);
        other.sum = __shfl_xor_sync(ALL_LANES, sum, distance);
        return other;
    }
};

template <int V>
__device__ __forceinline__ void add(const float* logits, int vocabulary, Part& part) {
    const unsigned step = blockDim.x * V, end = vocabulary;
    for (unsigned first = threadIdx.x * V; first < end; first += AHEAD * step) {
        float v[AHEAD][V];
        float largest = part.largest;
#pragma unroll
        for (int k = 0; k < AHEAD; k++) {
            if (first + k * step < end) {
                load(logits + first + k * step, v[k]);
#pragma unroll
                for (int j = 0; j < V; j++) {
                    largest = fmaxf(largest, v[k][j]);
                }
            }
        }
        part.raise(largest);
#pragma unroll
        for (int k = 0; k < AHEAD; k++) {
            if (first + k * step < end) {
                float sum = 0.0f;
#pragma unroll
                for (int j = 0; j < V; j++) {
                    sum += expf(v[k][j] - largest);
                }
                part.sum += static_cast<double>(sum);
            }
        }
    }
}

__device__ __forceinline__ Part warpPart(Part part) {
#pragma unroll
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        part.add(part.ofLane(distance));
    }
    return part;
}

}  // namespace logit_score

extern "C" __global__ void __launch_bounds__(MAX_WARPS* WARP)
    belay_logit_score_f32(const float* __restrict__ logits, int vocabulary, const int* __restrict__ first, const int* __restrict__ tokens,
                          float* __restrict__ scores) {
    using logit_score::Part;
    __shared__ float largest[MAX_WARPS];
    __shared__ double sums[MAX_WARPS];
    logits += static_cast<size_t>(blockIdx.x) * vocabulary;
    Part part;
    if (vocabulary % 4 == 0 && aligned16(logits)) {
        logit_score::add<4>(logits, vocabulary, part);
    } else {
        logit_score::add<1>(logits, vocabulary, part);
    }
    part = logit_score::warpPart(part);
    const int lane = threadIdx.x % WARP;
    if (lane == 0) {
        largest[threadIdx.x / WARP] = part.largest;
        sums[threadIdx.x / WARP] = part.sum;
    }
    __syncthreads();
    part = Part();
    if (lane < blockDim.x / WARP) {
        part.largest = largest[lane];
        part.sum = sums[lane];
    }
    part = logit_score::warpPart(part);
    const double whole = static_cast<double>(part.largest) + log(part.sum);
    for (int n = first[blockIdx.x] + threadIdx.x; n < first[blockIdx.x + 1]; n += blockDim.x) {
        scores[n] = static_cast<float>(static_cast<double>(logits[tokens[n]]) - whole);
    }
}
