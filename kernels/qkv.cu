// From the output of the fused query/key/value product to what attention reads: the bias is added, heads of queries and of keys are
// RMS-normed and rotated, and keys and values go to their slots of the cache.
//
//   query, key    y = x + bias; y = y / sqrt(mean(y^2) + eps) * weight over the HD numbers of the head, where a weight is given; then
//                 the rotary embedding in the half-split form: with c, s = table[position, i], table[position, R/2 + i] the pair
//                 y1 = y[i], y2 = y[R/2 + i], i < R/2, becomes (y1 c - y2 s, y2 c + y1 s); the numbers from R on stay as they are.
//   value         y = x + bias.
//
// Shapes      in f32 [T, inStride]: from the start of a row H heads of queries, KV of keys, KV of values, each of HD numbers side by side;
//             bias f32 [(H + 2 KV) HD] in the same order, or null; qNorm, kNorm f32 [HD], each or null; table f32 [positions, R];
//             positions, slots int [T]; q [T, H HD], keys and values [slots, KV HD], all f32 or all bf16. R even, at most HD; any HD.
//             Without queries (H = 0) q may be null, without keys and values (KV = 0) slots, keys and values.
// Numbers     The sum with the bias rounds. The squares of a head are summed in float32: each lane its own numbers with fma, then the
//             lanes pairwise; division and root are IEEE, y * scale rounds, times weight rounds. Each product of the rotation and their
//             sum round (y1 c - y2 s is not fused, so that f32 gives the bits of the CPU device); bf16 rounds once more, to nearest.
// Geometry    Blocks of 128 threads: grid (T, S). A head is the work of a group of lanes, HD / 8 rounded up to a power of two, at most a
//             warp; the groups of a token's S blocks take its heads in turn, each two at a time. S = ceil((H + 2 KV) lanes / 512) makes
//             it four heads a group; where few tokens leave the GPU idle, 256 makes it two.
// Memory      Every number moves once, in 16-byte accesses; in single numbers where R or HD is no multiple of 8, the stride none of 4, or
//             an address none of 16 bytes. A lane keeps its two vectors of each of the two heads, and the angles for all its heads, in
//             registers; with normed heads of more numbers than a warp so holds (256, or 64 of single ones) the rest is read twice.
#include "common.cuh"

namespace qkv {

constexpr int THREADS = 128;
// Heads that a group of lanes has at a time.
constexpr int HEADS = 2;

template <typename Out>
struct Arguments {
    const float* in;
    int inStride;
    const float *bias, *qNorm, *kNorm;
    float eps;
    const float* table;
    const int *positions, *slots;
    int heads, kvHeads, headSize, rotarySize;
    Out *q, *keys, *values;
};

// Where a head comes from and goes to; `bias` and `weight` may be null.
template <typename Out>
struct Head {
    const float *in, *bias, *weight;
    Out* out;
    bool turns;
};

// Two vectors of a head, from numbers `first` and `second` on: a pair to rotate, or two of the rest. Of a rest of odd length the last
// number is alone.
struct Unit {
    int first, second;
    bool turns, two;
};

template <int V>
__device__ __forceinline__ Unit unitOf(int index, int headSize, int rotarySize) {
    const int half = rotarySize / 2, pairs = half / V;
    if (index < pairs) {
        return {index * V, half + index * V, true, true};
    }
    const int first = rotarySize + (index - pairs) * V;
    const int second = first + (headSize - rotarySize + 1) / 2;
    return {first, second, false, V > 1 || second < headSize};
}

template <typename Out>
__device__ __forceinline__ Head<Out> headOf(const Arguments<Out>& a, int head, const float* in, size_t token, size_t slot) {
    Head<Out> h;
    const size_t start = static_cast<size_t>(head) * a.headSize;
    h.in = in + start;
    h.bias = a.bias == nullptr ? nullptr : a.bias + start;
    if (head < a.heads) {
        h.out = a.q + token * a.heads * a.headSize + start;
        h.weight = a.qNorm;
        h.turns = true;
    } else {
        const int key = head - a.heads;
        h.turns = key < a.kvHeads;
        h.out = (h.turns ? a.keys : a.values) + (slot * a.kvHeads + (h.turns ? key : key - a.kvHeads)) * a.headSize;
        h.weight = h.turns ? a.kNorm : nullptr;
    }
    return h;
}

template <int V>
__device__ __forceinline__ void loadUnit(const float* p, const Unit& u, float (&x)[2][V]) {
    load(p + u.first, x[0]);
    if (u.two) {
        load(p + u.second, x[1]);
    }
}

template <int V>
__device__ __forceinline__ void addBias(const float* bias, const Unit& u, float (&x)[2][V]) {
    if (bias != nullptr) {
        float b[2][V] = {};
        loadUnit(bias, u, b);
#pragma unroll
        for (int j = 0; j < V; j++) {
            x[0][j] += b[0][j];
            x[1][j] += b[1][j];
        }
    }
}

template <int V>
__device__ __forceinline__ float addSquares(const float (&x)[2][V], float sum) {
#pragma unroll
    for (int j = 0; j < V; j++) {
        sum = fmaf(x[0][j], x[0][j], sum);
        sum = fmaf(x[1][j], x[1][j], sum);
    }
    return sum;
}

// Norms, rotates and stores a unit. `angles` holds its cosines and sines.
template <int V, typename Out>
__device__ __forceinline__ void finish(const Head<Out>& head, const Unit& u, float scale, const float (&angles)[2][V], float (&x)[2][V]) {
    if (head.weight != nullptr) {
        float w[2][V] = {};
        loadUnit(head.weight, u, w);
#pragma unroll
        for (int j = 0; j < V; j++) {
            x[0][j] = x[0][j] * scale * w[0][j];
            x[1][j] = x[1][j] * scale * w[1][j];
        }
    }
    if (head.turns && u.turns) {
#pragma unroll
        for (int j = 0; j < V; j++) {
            const float c = angles[0][j], s = angles[1][j];
            const float y1 = x[0][j], y2 = x[1][j];
            x[0][j] = __fsub_rn(__fmul_rn(y1, c), __fmul_rn(y2, s));
            x[1][j] = __fadd_rn(__fmul_rn(y2, c), __fmul_rn(y1, s));
        }
    }
    store(head.out + u.first, x[0]);
    if (u.two) {
        store(head.out + u.second, x[1]);
    }
}

// All heads of a token.
template <int V, typename Out>
__device__ __forceinline__ void row(const Arguments<Out>& a) {
    const size_t token = blockIdx.x;
    const size_t slot = a.kvHeads > 0 ? a.slots[token] : 0;
    const float* in = a.in + token * a.inStride;
    const float* angles = a.table + static_cast<size_t>(a.positions[token]) * a.rotarySize;
    const bool norms = a.qNorm != nullptr || a.kNorm != nullptr;
    const int all = a.heads + 2 * a.kvHeads;

    const int units = (a.headSize + 2 * V - 1) / (2 * V);
    const int lanes = lanesFor(units);
    const int groups = THREADS / lanes, group = threadIdx.x / lanes, lane = threadIdx.x % lanes;

    // The lane's first unit of every head; there is seldom another.
    const Unit unit = unitOf<V>(lane, a.headSize, a.rotarySize);
    const bool works = lane < units;
    float turn[2][V] = {};
    if (works && unit.turns) {
        loadUnit(angles, unit, turn);
    }
    for (int first = blockIdx.y * groups; first < all; first += HEADS * gridDim.y * groups) {
        Head<Out> head[HEADS];
        bool there[HEADS];
        float x[HEADS][2][V] = {};
#pragma unroll
        for (int k = 0; k < HEADS; k++) {
            const int h = first + k * gridDim.y * groups + group;
            there[k] = works && h < all;
            head[k] = headOf(a, min(h, all - 1), in, token, slot);
            if (there[k]) {
                loadUnit(head[k].in, unit, x[k]);
            }
        }
        float scale[HEADS];
#pragma unroll
        for (int k = 0; k < HEADS; k++) {
            if (there[k]) {
                addBias(head[k].bias, unit, x[k]);
            }
            if (norms) {
                float sum = addSquares(x[k], 0.0f);
                for (int i = lane + lanes; there[k] && i < units; i += lanes) {
                    const Unit rest = unitOf<V>(i, a.headSize, a.rotarySize);
                    float y[2][V] = {};
                    loadUnit(head[k].in, rest, y);
                    addBias(head[k].bias, rest, y);
                    sum = addSquares(y, sum);
                }
                scale[k] = 1.0f / sqrtf(groupSum(sum, lanes) / a.headSize + a.eps);
            } else {
                scale[k] = 1.0f;
            }
        }
#pragma unroll
        for (int k = 0; k < HEADS; k++) {
            if (there[k]) {
                finish(head[k], unit, scale[k], turn, x[k]);
            }
            for (int i = lane + lanes; there[k] && i < units; i += lanes) {
                const Unit rest = unitOf<V>(i, a.headSize, a.rotarySize);
                float y[2][V] = {}, restTurn[2][V] = {};
                loadUnit(head[k].in, rest, y);
                addBias(head[k].bias, rest, y);
                if (rest.turns) {
                    loadUnit(angles, rest, restTurn);
                }
                finish(head[k], rest, scale[k], restTurn, y);
            }
        }
    }
}

template <typename Out>
__device__ __forceinline__ void kernel(const Arguments<Out>& a) {
    const bool sizes = (a.headSize | a.rotarySize) % 8 == 0 && a.inStride % 4 == 0;
    const bool inputs = aligned16(a.in) && aligned16(a.bias) && aligned16(a.qNorm) && aligned16(a.kNorm) && aligned16(a.table);
    if (sizes && inputs && aligned16(a.q) && aligned16(a.keys) && aligned16(a.values)) {
        row<4>(a);
    } else {
        row<1>(a);
    }
}

}  // namespace qkv

extern "C" __global__ void __launch_bounds__(qkv::THREADS)
    belay_qkv_f32(const float* __restrict__ in, int inStride, const float* __restrict__ bias, const float* __restrict__ qNorm,
                  const float* __restrict__ kNorm, float eps, const float* __restrict__ table, const int* __restrict__ positions,
                  const int* __restrict__ slots, int heads, int kvHeads, int headSize, int rotarySize, float* __restrict__ q,
                  float* __restrict__ keys, float* __restrict__ values) {
    qkv::kernel<float>(
        {in, inStride, bias, qNorm, kNorm, eps, table, positions, slots, heads, kvHeads, headSize, rotarySize, q, keys, values});
}

extern "C" __global__ void __launch_bounds__(qkv::THREADS)
    belay_qkv_f32_bf16(const float* __restrict__ in, int inStride, const float* __restrict__ bias, const float* __restrict__ qNorm,
                       const float* __restrict__ kNorm, float eps, const float* __restrict__ table, const int* __restrict__ positions,
                       const int* __restrict__ slots, int heads, int kvHeads, int headSize, int rotarySize, bf16* __restrict__ q,
                       bf16* __restrict__ keys, bf16* __restrict__ values) {
    qkv::kernel<bf16>(
        {in, inStride, bias, qNorm, kNorm, eps, table, positions, slots, heads, kvHeads, headSize, rotarySize, q, keys, values});
}
