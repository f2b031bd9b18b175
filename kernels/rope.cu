// Rotary position embedding in the half-split form. With c, s = rope[position, i], rope[position, R/2 + i] the pair x1 = x[i],
// x2 = x[R/2 + i] of a head, i < R/2, becomes (x1 c - x2 s, x2 c + x1 s); the numbers of a head from R on stay as they are.
//
//   belay_rope_*        queries: every head of in[t] goes rotated to out[t]; in the f32 form out may be in,
//                       if inStride is H * HD.
//   belay_rope_store_*  keys and values: in[t] holds KV heads of keys, then KV of values; the keys go rotated to keys[slot of t], the
//                       values as they are to values[slot of t].
//
// Shapes      in f32 [T, inStride], heads H of size HD side by side from the start of a row; rope f32 [positions, R]; positions,
//             slots int [T]; out [T, H * HD], keys and values [slots, KV * HD], all f32 or all bf16. R even, at most HD; any HD.
// Numbers     Each product and the sum round once (x1 c - x2 s is not fused, so that f32 gives the bits of the CPU device); bf16
//             rounds once more, to nearest.
// Geometry    Blocks of 128 threads: grid (T, S), where the S blocks of a token take its work in turn; a unit of work is a pair of
//             4-number vectors to rotate, or one to copy. S = ceil(heads * HD / 1024) makes it about one unit a thread.
// Memory      Every number moves once, in 16-byte loads; in single numbers where R is no multiple of 8, HD or the stride none of 4, or
//             an address none of 16 bytes.
#include "common.cuh"

namespace rope {

constexpr int THREADS = 128;

// Units of a head: R / 2V pairs of vectors, then (HD - R) / V vectors.
template <int V, typename Out>
__device__ __forceinline__ void unit(const float* head, const float* angles, int rotarySize, int index, Out* out) {
    const int half = rotarySize / 2;
    if (index < half / V) {
        const int i = index * V;
        float x1[V], x2[V], c[V], s[V];
        load(head + i, x1);
        load(head + half + i, x2);
        load(angles + i, c);
        load(angles + half + i, s);
#pragma unroll
        for (int j = 0; j < V; j++) {
            const float first = __fsub_rn(__fmul_rn(x1[j], c[j]), __fmul_rn(x2[j], s[j]));
            x2[j] = __fadd_rn(__fmul_rn(x2[j], c[j]), __fmul_rn(x1[j], s[j]));
            x1[j] = first;
        }
        store(out + i, x1);
        store(out + half + i, x2);
    } else if (static_cast<const void*>(out) != head) {
        const int i = rotarySize + (index - half / V) * V;
        float x[V];
        load(head + i, x);
        store(out + i, x);
    }
}

// Heads 0 .. rotated-1 of a row go to `out`, the following `copied` ones to `values`.
template <int V, typename Out>
__device__ __forceinline__ void row(const float* in, const float* angles, int rotated, int copied, int headSize, int rotarySize, Out* out,
                                    Out* values) {
    const int perRotated = (headSize - rotarySize / 2) / V;
    const int perCopied = headSize / V;
    const int split = rotated * perRotated;
    const int units = split + copied * perCopied;
    for (int u = blockIdx.y * THREADS + threadIdx.x; u < units; u += gridDim.y * THREADS) {
        if (u < split) {
            const int head = u / perRotated;
            unit<V>(in + head * headSize, angles, rotarySize, u - head * perRotated, out + head * headSize);
        } else {
            const int i = (u - split) * V;
            float x[V];
            load(in + rotated * headSize + i, x);
            store(values + i, x);
        }
    }
}

__device__ __forceinline__ bool vectorsFit(int headSize, int rotarySize, int stride, const void* in, const void* table) {
    return rotarySize % 8 == 0 && headSize % 4 == 0 && stride % 4 == 0 && aligned16(in) && aligned16(table);
}

template <typename Out>
__device__ __forceinline__ void queries(const float* in, int inStride, const float* table, const int* positions, int heads, int headSize,
                                        int rotarySize, Out* out) {
    const size_t token = blockIdx.x;
    const bool vectors = vectorsFit(headSize, rotarySize, inStride, in, table) && aligned16(out);
    const float* angles = table + static_cast<size_t>(positions[token]) * rotarySize;
    in += token * inStride;
    out += token * heads * headSize;
    if (vectors) {
        row<4>(in, angles, heads, 0, headSize, rotarySize, out, out);
    } else {
        row<1>(in, angles, heads, 0, headSize, rotarySize, out, out);
    }
}

template <typename Out>
__device__ __forceinline__ void keyValues(const float* in, int inStride, const float* table, const int* positions, const int* slots,
                                          int heads, int headSize, int rotarySize, Out* keys, Out* values) {
    const size_t token = blockIdx.x;
    const bool vectors = vectorsFit(headSize, rotarySize, inStride, in, table) && aligned16(keys) && aligned16(values);
    const float* angles = table + static_cast<size_t>(positions[token]) * rotarySize;
    const size_t place = static_cast<size_t>(slots[token]) * heads * headSize;
    in += token * inStride;
    if (vectors) {
        row<4>(in, angles, heads, heads, headSize, rotarySize, keys + place, values + place);
    } else {
        row<1>(in, angles, heads, heads, headSize, rotarySize, keys + place, values + place);
    }
}

}  // namespace rope

extern "C" __global__ void __launch_bounds__(rope::THREADS)
    belay_rope_f32(const float* in, int inStride, const float* __restrict__ table, const int* __restrict__ positions, int heads,
                   int headSize, int rotarySize, float* out) {
    rope::queries(in, inStride, table, positions, heads, headSize, rotarySize, out);
}

extern "C" __global__ void __launch_bounds__(rope::THREADS)
    belay_rope_f32_bf16(const float* __restrict__ in, int inStride, const float* __restrict__ table, const int* __restrict__ positions,
                        int heads, int headSize, int rotarySize, bf16* __restrict__ out) {
    rope::queries(in, inStride, table, positions, heads, headSize, rotarySize, out);
}

extern "C" __global__ void __launch_bounds__(rope::THREADS)
    belay_rope_store_f32(const float* __restrict__ in, int inStride, const float* __restrict__ table, const int* __restrict__ positions,
                         const int* __restrict__ slots, int heads, int headSize, int rotarySize, float* __restrict__ keys,
                         float* __restrict__ values) {
    rope::keyValues(in, inStride, table, positions, slots, heads, headSize, rotarySize, keys, values);
}

extern "C" __global__ void __launch_bounds__(rope::THREADS)
    belay_rope_store_f32_bf16(const float* __restrict__ in, int inStride, const float* __restrict__ table,
                              const int* __restrict__ positions, const int* __restrict__ slots, int heads, int headSize, int rotarySize,
                              bf16* __restrict__ keys, bf16* __restrict__ values) {
    rope::keyValues(in, inStride, table, positions, slots, heads, headSize, rotarySize, keys, values);
}
