// cp.async: data that is used before it was waited for, and pipelines that are right. A thread copies 16 bytes at a time.
#include <cuda_pipeline.h>

#define PLACE(p) static_cast<unsigned>(__cvta_generic_to_shared(p))
#define COPY(to, from) asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(PLACE(to)), "l"(from) : "memory")
#define COPY_SOME(to, from, bytes) \
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(PLACE(to)), "l"(from), "r"(bytes) : "memory")
#define COMMIT() asm volatile("cp.async.commit_group;" ::: "memory")
#define WAIT(groups) asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory")
#define WAIT_ALL() asm volatile("cp.async.wait_all;" ::: "memory")

extern "C" __global__ void no_wait(uint4* out, const uint4* in) {
    __shared__ uint4 s[32];
    COPY(s + threadIdx.x, in + threadIdx.x);
    COMMIT();
    out[threadIdx.x] = s[threadIdx.x];  // defect
}

extern "C" __global__ void no_commit(uint4* out, const uint4* in) {
    __shared__ uint4 s[32];
    COPY(s + threadIdx.x, in + threadIdx.x);
    WAIT(0);
    out[threadIdx.x] = s[threadIdx.x];  // defect
}

extern "C" __global__ void wait_all(uint4* out, const uint4* in) {
    __shared__ uint4 s[32];
    COPY(s + threadIdx.x, in + threadIdx.x);
    WAIT_ALL();
    out[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void wait_group(uint4* out, const uint4* in) {
    __shared__ uint4 s[32];
    COPY(s + threadIdx.x, in + threadIdx.x);
    COMMIT();
    WAIT(0);
    out[threadIdx.x] = s[threadIdx.x];
}

// Two groups, one of which may still be on its way.
extern "C" __global__ void two_groups(uint4* out, const uint4* in, int second) {
    __shared__ uint4 s[64];
    COPY(s + threadIdx.x, in + threadIdx.x);
    COMMIT();
    COPY(s + 32 + threadIdx.x, in + 32 + threadIdx.x);
    COMMIT();
    WAIT(1);
    out[threadIdx.x] = s[threadIdx.x + 32 * second];  // defect
}

// Warps read what the other one copied.
extern "C" __global__ void no_barrier(uint4* out, const uint4* in) {
    __shared__ uint4 s[64];
    s[threadIdx.x] = make_uint4(0, 0, 0, 0);
    __syncthreads();
    COPY(s + threadIdx.x, in + threadIdx.x);  // defect
    COMMIT();
    WAIT(0);
    out[threadIdx.x] = s[63 - threadIdx.x];  // defect
}

extern "C" __global__ void wait_and_barrier(uint4* out, const uint4* in) {
    __shared__ uint4 s[64];
    COPY(s + 63 - threadIdx.x, in + threadIdx.x);
    COMMIT();
    WAIT(0);
    __syncthreads();
    out[63 - threadIdx.x] = s[threadIdx.x];
}

// The barrier comes before the wait.
extern "C" __global__ void barrier_and_wait(uint4* out, const uint4* in) {
    __shared__ uint4 s[64];
    COPY(s + threadIdx.x, in + threadIdx.x);
    COMMIT();
    __syncthreads();
    WAIT(0);                                 // defect
    out[threadIdx.x] = s[63 - threadIdx.x];  // defect
}

// Lanes read what another lane copied.
extern "C" __global__ void no_warp_barrier(uint4* out, const uint4* in, int synced) {
    __shared__ uint4 s[32];
    COPY(s + 31 - threadIdx.x, in + threadIdx.x);
    COMMIT();
    WAIT(0);
    if (synced) __syncwarp();
    out[31 - threadIdx.x] = s[threadIdx.x];  // defect
}

extern "C" __global__ void write_in_flight(uint4* out, const uint4* in) {
    __shared__ uint4 s[32];
    COPY(s + threadIdx.x, in + threadIdx.x);
    COMMIT();
    s[threadIdx.x] = make_uint4(1, 1, 1, 1);  // defect
    WAIT(0);
    out[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void write_after_wait(uint4* out, const uint4* in) {
    __shared__ uint4 s[32];
    COPY(s + threadIdx.x, in + threadIdx.x);
    COMMIT();
    WAIT(0);
    unsigned base = threadIdx.x * 4;
    s[threadIdx.x] = make_uint4(base, base + 1, base + 2, base + 3);
    out[threadIdx.x] = s[threadIdx.x];
}

// Addresses: `from` and `to` are byte offsets.
extern "C" __global__ void copy_at(uint4* out, const char* in, long long from, int to) {
    __shared__ __align__(16) char s[512];
    COPY(s + to + threadIdx.x * 16, in + from + threadIdx.x * 16);  // defect
    COMMIT();
    WAIT(0);
    if (to == 0) out[threadIdx.x] = *reinterpret_cast<const uint4*>(s + to + threadIdx.x * 16);
}

// Lanes from n / 16 on copy fewer bytes, or none, and the rest is zero.
extern "C" __global__ void copy_tail(uint4* out, const char* in, int n) {
    __shared__ uint4 s[32];
    int bytes = min(max(n - static_cast<int>(threadIdx.x) * 16, 0), 16);
    COPY_SOME(s + threadIdx.x, in + threadIdx.x * 16, bytes);
    COMMIT();
    WAIT(0);
    out[threadIdx.x] = s[threadIdx.x];
}

// --- Pipelines: 64 threads, tiles of 64 uint4 that thread 63 - t reads; out = sum over the tiles --------------------------------------

__device__ __forceinline__ void addTo(uint4& sum, uint4 v) { sum = make_uint4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w); }

extern "C" __global__ void two_stages(uint4* out, const uint4* in, int tiles) {
    __shared__ uint4 s[2][64];
    uint4 sum = make_uint4(0, 0, 0, 0);
    COPY(&s[0][threadIdx.x], in + threadIdx.x);
    COMMIT();
    for (int k = 0; k < tiles; k++) {
        if (k + 1 < tiles) COPY(&s[(k + 1) & 1][threadIdx.x], in + (k + 1) * 64 + threadIdx.x);
        COMMIT();
        WAIT(1);
        __syncthreads();
        addTo(sum, s[k & 1][63 - threadIdx.x]);
        __syncthreads();
    }
    out[63 - threadIdx.x] = sum;
}

// As many groups as there are may still be on their way.
extern "C" __global__ void two_stages_wait_too_little(uint4* out, const uint4* in, int tiles) {
    __shared__ uint4 s[2][64];
    uint4 sum = make_uint4(0, 0, 0, 0);
    COPY(&s[0][threadIdx.x], in + threadIdx.x);
    COMMIT();
    for (int k = 0; k < tiles; k++) {
        if (k + 1 < tiles) COPY(&s[(k + 1) & 1][threadIdx.x], in + (k + 1) * 64 + threadIdx.x);  // defect
        COMMIT();
        WAIT(2);
        __syncthreads();
        uint4 v = s[k & 1][63 - threadIdx.x];  // defect
        addTo(sum, v);
        __syncthreads();
    }
    out[63 - threadIdx.x] = sum;
}

// The next copy starts while other warps still read its buffer.
extern "C" __global__ void two_stages_one_barrier(uint4* out, const uint4* in, int tiles) {
    __shared__ uint4 s[2][64];
    uint4 sum = make_uint4(0, 0, 0, 0);
    COPY(&s[0][threadIdx.x], in + threadIdx.x);
    COMMIT();
    for (int k = 0; k < tiles; k++) {
        if (k + 1 < tiles) COPY(&s[(k + 1) & 1][threadIdx.x], in + (k + 1) * 64 + threadIdx.x);  // defect
        COMMIT();
        WAIT(1);
        __syncthreads();
        uint4 v = s[k & 1][63 - threadIdx.x];  // defect
        addTo(sum, v);
    }
    out[63 - threadIdx.x] = sum;
}

// With three buffers one barrier a step is enough.
extern "C" __global__ void three_stages(uint4* out, const uint4* in, int tiles) {
    __shared__ uint4 s[3][64];
    uint4 sum = make_uint4(0, 0, 0, 0);
    for (int k = 0; k < 2; k++) {
        if (k < tiles) COPY(&s[k][threadIdx.x], in + k * 64 + threadIdx.x);
        COMMIT();
    }
    for (int k = 0; k < tiles; k++) {
        WAIT(1);
        __syncthreads();
        addTo(sum, s[k % 3][63 - threadIdx.x]);
        if (k + 2 < tiles) COPY(&s[(k + 2) % 3][threadIdx.x], in + (k + 2) * 64 + threadIdx.x);
        COMMIT();
    }
    out[63 - threadIdx.x] = sum;
}

// Without the empty groups at the end, waiting for all but one is too little for the last tile.
extern "C" __global__ void three_stages_last_tile(uint4* out, const uint4* in, int tiles) {
    __shared__ uint4 s[3][64];
    uint4 sum = make_uint4(0, 0, 0, 0);
    for (int k = 0; k < 2; k++) {
        COPY(&s[k][threadIdx.x], in + k * 64 + threadIdx.x);
        COMMIT();
    }
    for (int k = 0; k < tiles; k++) {
        WAIT(1);
        __syncthreads();
        uint4 v = s[k % 3][63 - threadIdx.x];  // defect
        addTo(sum, v);
        if (k + 2 < tiles) {
            COPY(&s[(k + 2) % 3][threadIdx.x], in + (k + 2) * 64 + threadIdx.x);
            COMMIT();
        }
    }
    out[63 - threadIdx.x] = sum;
}

extern "C" __global__ void two_stages_primitives(uint4* out, const uint4* in, int tiles) {
    __shared__ uint4 s[2][64];
    uint4 sum = make_uint4(0, 0, 0, 0);
    __pipeline_memcpy_async(&s[0][threadIdx.x], in + threadIdx.x, 16);
    __pipeline_commit();
    for (int k = 0; k < tiles; k++) {
        if (k + 1 < tiles) __pipeline_memcpy_async(&s[(k + 1) & 1][threadIdx.x], in + (k + 1) * 64 + threadIdx.x, 16);
        __pipeline_commit();
        __pipeline_wait_prior(1);
        __syncthreads();
        addTo(sum, s[k & 1][63 - threadIdx.x]);
        __syncthreads();
    }
    out[63 - threadIdx.x] = sum;
}

// --- When the data lands --------------------------------------------------------------------------------------------------------------

// Before its wait a copy has not landed: out[0] = the old word, out[1] = the new one.
extern "C" __global__ void lands_at_wait(unsigned* out, const unsigned* in) {
    __shared__ unsigned s[32];
    s[threadIdx.x] = 1000 + threadIdx.x;
    __syncthreads();
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(PLACE(s + threadIdx.x)), "l"(in + threadIdx.x) : "memory");
    COMMIT();
    __syncthreads();
    out[threadIdx.x] = s[threadIdx.x];
    WAIT(0);
    out[32 + threadIdx.x] = s[threadIdx.x];
}
