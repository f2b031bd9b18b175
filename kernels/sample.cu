// tokens[r] = a token chosen from logits[r, :]: the largest logit's (greedy), or one drawn at a temperature from the topK largest
// and, of these, from the fewest that reach the share topP of their weight. Chooses as dev.belay.forward.Sampler does.
//
// Shapes      logits f32 [R, V], texts and positions int [R] (the draw's counters), tokens int [R]; any V from 1 on. topK 0 = all,
//             topP 1 = all, temperature 0 = greedy.
// Numbers     Greedy: the smaller of equal tokens; -1 where a logit is not a number. Drawn: the weight of a token is
//             exp((logit - max) / temperature), the argument in float32 as on the CPU, as a whole number of units of 2^-62 V, V rounded
//             up to a power of two. Sums of whole numbers are exact in any order, so that a run repeats to the bit. Tokens are taken by
//             falling logit, equal ones (where -0 < 0) by rising id, or all by id where neither topK nor topP leaves any out. The token
//             is the CPU's unless the draw, or topP, falls within the rounding of a bound between two tokens: weights round by half a
//             unit, which adds up to 2^-27 of the total for V = 2^18 at worst and to some 2^-36 as it comes. -1 also where the
//             largest logit is infinite, as then there are no weights.
// Geometry    One block a row: grid (R). Greedy: 32 to 1024 threads, whole warps. Drawn: whole warps, 256 threads at least; 19 KB of
//             shared memory.
// Memory      Greedy reads the logits once, in accesses of 16 bytes where V is a multiple of 4 and the address one of 16 bytes. To
//             draw there is no sort: where a sum of weights in token order reaches a bound is found digit by digit of the order, 8
//             bits a pass over the row, by the weights of each digit's tokens. A pass reads the row again, from the L2 cache as a rule:
//             once for the largest logit, 4 times for topK, 4 for topP, 4 for the draw, and for a token among equal ones, or the draw
//             by id, as good as once. Each digit has 8 sums side by side, one for every eighth lane: that many lanes add to a digit
//             without waiting for each other, and they meet 16 different banks.
#include "common.cuh"

namespace sample {

constexpr int DIGIT_BITS = 8;
constexpr int DIGITS = 1 << DIGIT_BITS;
// Sums of a digit.
constexpr int COPIES = 8;
// Logits that a thread asks for at a time.
constexpr int AHEAD = 4;
// Weights whose exponent is below this are computed in float32: they are less than 2^-28, so that errors of 2^-22 of each add up to
// less than 2^-32 of the largest for V = 2^18.
constexpr float FLOAT_BELOW = -20.0f;
constexpr uint32_t NOT_A_NUMBER = 0xffffffffu;

// An integer that rises with the number; -0 < 0. No number has the largest.
__device__ __forceinline__ uint32_t rising(float number) {
    const uint32_t bits = __float_as_uint(number);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// An integer that rises as the number falls.
__device__ __forceinline__ uint32_t falling(float number) { return ~rising(number); }

__device__ __forceinline__ float ofFalling(uint32_t key) {
    const uint32_t order = ~key;
    return __uint_as_float(order & 0x80000000u ? order & 0x7fffffffu : ~order);
}

__device__ __forceinline__ uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

__device__ __forceinline__ uint64_t warpLargest(uint64_t value) {
#pragma unroll
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        value = larger(value, __shfl_xor_sync(ALL_LANES, value, distance));
    }
    return value;
}

// -----------------------------------------------------------------------------------------------------------------------------------
// The largest logit. Its rank has the number in the upper half, the complement of its token in the lower.

template <int V>
__device__ __forceinline__ uint64_t largestOf(const float* logits, int vocabulary) {
    uint64_t best = 0;
    const unsigned end = vocabulary;
    for (unsigned i = threadIdx.x * V; i < end; i += blockDim.x * V) {
        float v[V];
        load(logits + i, v);
#pragma unroll
        for (int j = 0; j < V; j++) {
            // Adding 0 makes -0 a 0.
            const uint32_t order = isnan(v[j]) ? NOT_A_NUMBER : rising(v[j] + 0.0f);
            best = larger(best, static_cast<uint64_t>(order) << 32 | ~(i + j));
        }
    }
    return best;
}

__device__ __forceinline__ uint64_t largest(const float* logits, int vocabulary, uint64_t (&partial)[MAX_WARPS]) {
    uint64_t best = vocabulary % 4 == 0 && aligned16(logits) ? largestOf<4>(logits, vocabulary) : largestOf<1>(logits, vocabulary);
    best = warpLargest(best);
    const int lane = threadIdx.x % WARP;
    if (lane == 0) {
        partial[threadIdx.x / WARP] = best;
    }
    __syncthreads();
    return warpLargest(lane < blockDim.x / WARP ? partial[lane] : 0);
}

__device__ __forceinline__ bool isNumber(uint64_t rank) { return rank >> 32 != NOT_A_NUMBER; }

__device__ __forceinline__ int tokenOf(uint64_t rank) { return static_cast<int>(~static_cast<uint32_t>(rank)); }

__device__ __forceinline__ float logitOf(uint64_t rank) { return ofFalling(~static_cast<uint32_t>(rank >> 32)); }

// -----------------------------------------------------------------------------------------------------------------------------------
// The draw.

// A number of 53 bits from three counters: the finalizer of SplitMix64 over each in turn.
__device__ __forceinline__ uint64_t mix(uint64_t x) {
    uint64_t z = x + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// The draw as a fraction of 2^64.
__device__ __forceinline__ uint64_t uniform(int64_t seed, int text, int position) {
    const uint64_t counter = mix(mix(seed) ^ static_cast<int64_t>(text)) ^ static_cast<int64_t>(position);
    return mix(counter) & ~uint64_t{0x7ff};
}

struct Row {
    const float* logits;
    unsigned size;
    float max;
    float temperature;
    // Units of weight in 1, as a power of two.
    int unitBits;

    __device__ __forceinline__ uint64_t weight(float logit) const {
        const float x = (logit - max) / temperature;
        if (x < FLOAT_BELOW) {
            return __float2ull_rn(expf(x) * static_cast<float>(uint64_t{1} << unitBits));
        }
        return __double2ull_rn(exp(static_cast<double>(x)) * static_cast<double>(uint64_t{1} << unitBits));
    }
};

// The tokens of a row in an order, each with a size, as a key that rises in the order.
struct Tokens {
    // Order by id, or by falling logit.
    bool byId;
    // Sizes of 1, or weights.
    bool counted;
    // Only tokens of this key by falling logit, where there is such a rule.
    bool onlyEqual;
    uint32_t equal;
    // By falling logit: only tokens whose key is below the end, and this much for those at the end.
    uint32_t end;
    uint64_t atEnd;

    __device__ __forceinline__ uint64_t size(const Row& row, float logit) const {
        if (onlyEqual ? falling(logit) != equal : falling(logit) >= end) {
            return 0;
        }
        return counted ? 1 : row.weight(logit);
    }
};

struct Shared {
    uint64_t copies[DIGITS * COPIES];
    // Of each digit with those before it.
    uint64_t sums[DIGITS];
    uint64_t warps[DIGITS / WARP];
    uint64_t partial[MAX_WARPS];
    uint64_t before;
    int digit;
};

// Adds the sizes of the tokens whose key has the prefix above its digit at `shift` to the copies of their digits.
__device__ __forceinline__ void addSizes(const Row& row, const Tokens& tokens, uint32_t prefix, int shift, Shared& shared) {
    for (int i = threadIdx.x; i < DIGITS * COPIES; i += blockDim.x) {
        shared.copies[i] = 0;
    }
    __syncthreads();
    const int copy = threadIdx.x % COPIES;
    const unsigned from = tokens.byId ? prefix : 0;
    const uint64_t end = tokens.byId ? from + (uint64_t{DIGITS} << shift) : row.size;
    const unsigned to = end < row.size ? static_cast<unsigned>(end) : row.size;
    for (unsigned first = from + threadIdx.x; first < to; first += AHEAD * blockDim.x) {
        float logits[AHEAD];
#pragma unroll
        for (int j = 0; j < AHEAD; j++) {
            const unsigned id = first + j * blockDim.x;
            logits[j] = id < to ? row.logits[id] : 0.0f;
        }
#pragma unroll
        for (int j = 0; j < AHEAD; j++) {
            const unsigned id = first + j * blockDim.x;
            const uint32_t key = tokens.byId ? id : falling(logits[j]);
            if (id < to && (key ^ prefix) >> shift >> DIGIT_BITS == 0) {
                const uint64_t size = tokens.size(row, logits[j]);
                if (size != 0) {
                    atomicAdd(reinterpret_cast<unsigned long long*>(&shared.copies[(key >> shift) % DIGITS * COPIES + copy]), size);
                }
            }
        }
    }
    if (threadIdx.x == 0 && tokens.atEnd != 0 && (tokens.end ^ prefix) >> shift >> DIGIT_BITS == 0) {
        atomicAdd(reinterpret_cast<unsigned long long*>(&shared.copies[(tokens.end >> shift) % DIGITS * COPIES]), tokens.atEnd);
    }
    __syncthreads();
}

// Sums the copies up to each digit; the sum of all.
__device__ __forceinline__ uint64_t addDigits(Shared& shared) {
    const int digit = threadIdx.x;
    const int lane = digit % WARP;
    uint64_t sum = 0;
    if (digit < DIGITS) {
        for (int i = 0; i < COPIES; i++) {
            // Each lane begins with another copy, so that they meet different banks.
            sum += shared.copies[digit * COPIES + (i + lane) % COPIES];
        }
#pragma unroll
        for (int distance = 1; distance < WARP; distance *= 2) {
            const uint64_t below = __shfl_up_sync(ALL_LANES, sum, distance);
            sum += lane >= distance ? below : 0;
        }
        if (lane == WARP - 1) {
            shared.warps[digit / WARP] = sum;
        }
    }
    __syncthreads();
    uint64_t total = 0;
#pragma unroll
    for (int w = 0; w < DIGITS / WARP; w++) {
        sum += w < digit / WARP ? shared.warps[w] : 0;
        total += shared.warps[w];
    }
    if (digit < DIGITS) {
        shared.sums[digit] = sum;
    }
    __syncthreads();
    return total;
}

// Where a bound lies: the key whose tokens hold it, and how far into these.
struct Place {
    uint32_t key;
    uint64_t rest;
    uint64_t bound;
};

// The place in the order at which the sizes exceed a bound, which `boundOf` gives from the sum of all and is below it.
template <typename BoundOf>
__device__ __forceinline__ Place find(const Row& row, const Tokens& tokens, int keyBits, Shared& shared, BoundOf boundOf) {
    Place place = {0, 0, 0};
    const int top = (keyBits - 1) / DIGIT_BITS * DIGIT_BITS;
    for (int shift = top; shift >= 0; shift -= DIGIT_BITS) {
        addSizes(row, tokens, place.key, shift, shared);
        const uint64_t total = addDigits(shared);
        if (shift == top) {
            place.rest = place.bound = boundOf(total);
        }
        const int digit = threadIdx.x;
        if (digit < DIGITS) {
            const uint64_t before = digit == 0 ? 0 : shared.sums[digit - 1];
            if (before <= place.rest && place.rest < shared.sums[digit]) {
                shared.digit = digit;
                shared.before = before;
            }
        }
        __syncthreads();
        place.key |= static_cast<uint32_t>(shared.digit) << shift;
        place.rest -= shared.before;
    }
    return place;
}

// The token of the draw, a fraction of 2^64, from all tokens by id.
__device__ __forceinline__ int drawById(const Row& row, uint64_t draw, int idBits, Shared& shared) {
    const Tokens all = {true, false, false, 0, NOT_A_NUMBER, 0};
    return find(row, all, idBits, shared, [draw](uint64_t total) { return __umul64hi(draw, total); }).key;
}

// The token of the draw from the tokens by falling logit.
__device__ __forceinline__ int drawByLogit(const Row& row, uint64_t draw, unsigned topK, float topP, int idBits, Shared& shared) {
    Tokens kept = {false, false, false, 0, NOT_A_NUMBER, 0};
    if (topK != 0 && topK < row.size) {
        const Tokens counted = {false, true, false, 0, NOT_A_NUMBER, 0};
        const Place last = find(row, counted, 32, shared, [topK](uint64_t) { return uint64_t{topK} - 1; });
        kept.end = last.key;
        kept.atEnd = (last.rest + 1) * row.weight(ofFalling(last.key));
    }
    uint64_t nucleus = 0;
    if (topP < 1.0f) {
        const Place last = find(row, kept, 32, shared, [topP](uint64_t total) {
            const uint64_t share = __double2ull_ru(static_cast<double>(topP) * static_cast<double>(total));
            return (share < total ? share : total) - 1;
        });
        const uint64_t weight = row.weight(ofFalling(last.key));
        nucleus = last.bound - last.rest + (last.rest / weight + 1) * weight;
    }
    const Place drawn =
        find(row, kept, 32, shared, [draw, nucleus](uint64_t total) { return __umul64hi(draw, nucleus != 0 ? nucleus : total); });
    const uint64_t among = drawn.rest / row.weight(ofFalling(drawn.key));
    const Tokens equal = {true, true, true, drawn.key, 0, 0};
    return find(row, equal, idBits, shared, [among](uint64_t) { return among; }).key;
}

__device__ __forceinline__ int bitsOf(unsigned value) { return 32 - __clz(value); }

__device__ __forceinline__ int draw(const float* logits, int vocabulary, float temperature, int topK, float topP, uint64_t draw,
                                    uint64_t best, Shared& shared) {
    const float most = logitOf(best);
    if (isinf(most)) {
        return -1;
    }
    const bool byId = topK == 0 && topP == 1.0f;
    const int idBits = bitsOf(vocabulary - 1);
    const Row row = {logits, static_cast<unsigned>(vocabulary), most, temperature, 62 - idBits};
    return byId ? drawById(row, draw, max(idBits, 1), shared) : drawByLogit(row, draw, topK, topP, max(idBits, 1), shared);
}

}  // namespace sample

extern "C" __global__ void __launch_bounds__(MAX_WARPS* WARP)
    belay_greedy_f32(const float* __restrict__ logits, int vocabulary, int* __restrict__ tokens) {
    __shared__ uint64_t partial[MAX_WARPS];
    const uint64_t best = sample::largest(logits + static_cast<size_t>(blockIdx.x) * vocabulary, vocabulary, partial);
    if (threadIdx.x == 0) {
        tokens[blockIdx.x] = sample::isNumber(best) ? sample::tokenOf(best) : -1;
    }
}

extern "C" __global__ void __launch_bounds__(MAX_WARPS* WARP)
    belay_sample_f32(const float* __restrict__ logits, int vocabulary, float temperature, int topK, float topP, int64_t seed,
                     const int* __restrict__ texts, const int* __restrict__ positions, int* __restrict__ tokens) {
    __shared__ sample::Shared shared;
    logits += static_cast<size_t>(blockIdx.x) * vocabulary;
    const uint64_t best = sample::largest(logits, vocabulary, shared.partial);
    int token = -1;
    if (sample::isNumber(best)) {
        const uint64_t draw = sample::uniform(seed, texts[blockIdx.x], positions[blockIdx.x]);
        token = temperature == 0.0f ? sample::tokenOf(best) : sample::draw(logits, vocabulary, temperature, topK, topP, draw, best, shared);
    }
    if (threadIdx.x == 0) {
        tokens[blockIdx.x] = token;
    }
}
